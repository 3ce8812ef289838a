"""A compiled engine on disk: one file that begins with the key it was built for and a checksum."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from mer_live.engines.errors import EngineError
from mer_live.engines.files import whole
from mer_live.engines.records import from_json, to_json

MAGIC = b"mer-live engine 1\n"
SUFFIX = ".engine"
HEADER_LIMIT = 1 << 16
Precision = Literal["fp32", "fp16"]
Flavour = Literal["tensorrt", "rtx"]


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything an engine depends on; a file with another key is another engine and never used for this."""

    bundle: str
    """Name on the bundle's card."""
    onnx_sha256: str
    """Of the bundle's model.onnx."""
    precision: Precision
    flavour: Flavour
    version: str
    """Of the TensorRT library, in full: engines are not portable between versions."""
    compute_capability: str
    """Of the GPU, such as "8.9"."""
    max_batch: int = 8
    """The optimisation profile goes from batch 1 to this, tuned for 1."""
    system: str = f"{platform.system()}-{platform.machine()}".lower()

    @property
    def filename(self) -> str:
        """Unique for the key and readable."""
        digest = hashlib.sha256(json.dumps(to_json(self), sort_keys=True).encode()).hexdigest()
        sm = "sm" + self.compute_capability.replace(".", "")
        return f"{self.bundle}-{self.precision}-{self.flavour}-{self.version}-{sm}-{digest[:10]}{SUFFIX}"

    def differences(self, other: EngineKey) -> list[str]:
        """Fields that differ, as readable phrases."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return [f"{name} {mine!r} instead of {theirs!r}" for name, mine, theirs in pairs if mine != theirs]


@dataclass(frozen=True, slots=True)
class EngineHeader:
    """What the file says of itself before the engine begins."""

    key: EngineKey
    sha256: str
    """Of the serialized engine."""
    size: int
    """Bytes of the serialized engine."""
    parity: str
    """How it was checked against ONNX Runtime, or why it was not."""


def engine_dir() -> Path:
    """Where engines are kept: MER_ENGINE_DIR, or ``mer-live/engines`` in the user's cache folder."""
    if chosen := os.environ.get("MER_ENGINE_DIR"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(cache) if cache else Path.home() / ".cache") / "mer-live" / "engines"


def write_engine(folder: Path, key: EngineKey, engine: bytes, parity: str) -> Path:
    """Write the engine under its key's name, whole or not at all; EngineError when the disk refuses."""
    header = EngineHeader(key, hashlib.sha256(engine).hexdigest(), len(engine), parity)
    path = folder / key.filename
    try:
        with whole(path) as partial, partial.open("wb") as file:
            file.write(MAGIC + json.dumps(to_json(header)).encode() + b"\n")
            file.write(engine)
    except OSError as error:
        raise EngineError(
            f"The engine ({len(engine) / 1e6:.0f} MB) cannot be written to {folder}: {error.strerror or error}; "
            "free space, or name another folder with --out or MER_ENGINE_DIR."
        ) from error
    return path


def read_header(path: Path) -> EngineHeader:
    """The header alone; EngineError when the file is none of ours or damaged."""
    return _read(path, with_engine=False)[0]


def read_engine(path: Path, key: EngineKey | None = None) -> tuple[EngineHeader, bytes]:
    """Header and serialized engine, checked against its checksum and, when given, against ``key``."""
    header, engine = _read(path, with_engine=True)
    if len(engine) != header.size or hashlib.sha256(engine).hexdigest() != header.sha256:
        raise EngineError(f"{path} is damaged (its checksum does not fit); remove it and build it again.")
    if key is not None and (differing := header.key.differences(key)):
        raise EngineError(f"{path} was built for another key ({'; '.join(differing)}); build it again.")
    return header, engine


def list_engines(folder: Path) -> Iterator[tuple[Path, EngineHeader | EngineError]]:
    """Every engine file of a folder with its header, or with what is wrong with it."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            yield path, read_header(path)
        except EngineError as error:
            yield path, error


def _read(path: Path, *, with_engine: bool) -> tuple[EngineHeader, bytes]:
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise EngineError(f"{path} is not an engine of mer-live; build one with: mer-engine build")
            line = file.readline(HEADER_LIMIT)
            engine = file.read() if with_engine else b""
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return from_json(EngineHeader, json.loads(line), "engine header"), engine
    except ValueError as error:
        raise EngineError(f"{path} is damaged ({error}); remove it and build it again.") from error
