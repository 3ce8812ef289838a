"""A trained network -> a bundle (ONNX with half-precision weights, card), kept only if parity holds."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.bundle import (
    CARD,
    MODEL,
    NOT_VALIDATED,
    Bundle,
    Card,
    InputCard,
    NetworkCard,
    file_sha256,
    load_bundle,
)
from mer_live.engines.networks.base import Network
from mer_live.engines.onnx_weights import pack_float16, stored_as_float16
from mer_live.engines.parity import PARITY_ATOL, PARITY_RTOL, parity_error
from mer_live.engines.records import to_json
from mer_live.engines.representation.represent import input_shape
from mer_live.engines.representation.specs import FlowMethod, RepresentationSpec
from mer_live.engines.runners import open_runner
from mer_live.realtime.types import CLASSES

OPSET = 20

logger = logging.getLogger(__name__)


class ExportError(RuntimeError):
    """The exported network does not compute what the trained one does; nothing was written."""


def round_weights(network: Network) -> None:
    """Round the weights that are stored as float16, in place, so that torch computes with the same ones."""
    with torch.no_grad():
        for parameter in network.parameters():
            if stored_as_float16(tuple(parameter.shape)):
                parameter.copy_(parameter.half().float())


def export_bundle(
    network: Network,
    specs: Mapping[str, RepresentationSpec],
    samples: Mapping[str, NDArray[np.float32]],
    out_dir: Path,
    *,
    name: str,
    version: str,
    data: str,
    licence: str,
    attribution: str,
    scores: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    papers: tuple[str, ...] = (),
    deviations: tuple[str, ...] = (),
    flows: tuple[FlowMethod, ...] = (),
    validation: str = NOT_VALIDATED,
    classes: tuple[str, ...] = CLASSES,
    backends: tuple[str, ...] = ("onnxruntime", "openvino"),
) -> Bundle:
    """Write ``out_dir`` (replaced if it is a bundle) and return it, read back and checked.

    ============  =====================================================================================
    network       trained; its rounded weights are exported, the object itself is left as it was
    specs         input name -> its representation
    samples       input name -> (N, ...) float32 real inputs, N >= 2, for the parity check
    backends      engines that must agree with torch on the samples
    the others    fields of the card (``engines.bundle.Card``)
    ============  =====================================================================================

    Raises ExportError when an engine differs from torch by more than ``engines.parity`` allows or
    gives another result for one sample than for the batch, ValueError when inputs do not fit together.
    """
    inputs = _input_cards(network, specs, samples)
    check_folder(out_dir)
    reference = _rounded_copy(network)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        write_onnx(reference, {i.name: samples[i.name][:2] for i in inputs}, temporary / MODEL)
        card = Card(
            name=name,
            version=version,
            network=NetworkCard(network.name, to_json(network.config)),
            inputs=inputs,
            classes=classes,
            data=data,
            licence=licence,
            attribution=attribution,
            sha256=file_sha256(temporary / MODEL),
            scores=json.loads(json.dumps(scores or {})),
            validation=validation,
            training=json.loads(json.dumps(training or {})),
            papers=papers,
            deviations=deviations,
            flows=flows,
            opset=OPSET,
        )
        (temporary / CARD).write_text(card.to_json(), encoding="utf-8")
        bundle = load_bundle(temporary)
        _check_parity(reference, bundle, samples, backends)
        temporary.chmod(0o755)  # mkdtemp makes it private
        if out_dir.exists():
            shutil.rmtree(out_dir)
        temporary.rename(out_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return replace(bundle, path=out_dir)


def check_folder(out_dir: Path) -> None:
    """Raise ValueError unless a bundle can be written there: nothing is lost, and the place is writable."""
    if out_dir.exists() and not (out_dir / CARD).is_file():
        raise ValueError(f"{out_dir} exists and is no bundle; name another folder or remove it")
    above = next(folder for folder in out_dir.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ValueError(f"{out_dir} cannot be written: {above} is no folder that you may write to")


def write_onnx(network: Network, samples: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Export with a dynamic batch; ``samples`` (2, ...): with one sample the batch would be frozen to 1."""
    import onnx

    # The exporter warns about every torchvision operator that is not there.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about torch; parity is checked afterwards
        program = torch.onnx.export(
            network.eval(),
            tuple(torch.from_numpy(np.array(samples[n])) for n in network.input_names),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(network.input_names),
            output_names=["logits"],
            dynamic_shapes=(tuple({0: batch} for _ in network.input_names),),
            # Not optimised, so the initialisers keep the state dict's names and layouts; engines fold on loading.
            optimize=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    pack_float16(model)
    for node in model.graph.node:
        del node.metadata_props[:]  # source paths of this machine
    for part in (model, model.graph, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def _input_cards(
    network: Network, specs: Mapping[str, RepresentationSpec], samples: Mapping[str, NDArray[np.float32]]
) -> tuple[InputCard, ...]:
    if not set(specs) == set(samples) == set(network.input_names):
        raise ValueError(f"{network.name} takes {network.input_names}: give one spec and samples for each")
    cards = []
    for name in network.input_names:
        spec, got = specs[name], samples[name]
        shape = input_shape(spec)
        if got.shape[1:] != shape or got.dtype != np.float32 or len(got) < 2:
            raise ValueError(
                f"samples of {name} must be (N >= 2, {shape}) float32, got {got.shape} {got.dtype}"
            )
        cards.append(InputCard(name, shape, spec))
    return tuple(cards)


def _rounded_copy(network: Network) -> Network:
    from mer_live.engines.networks import build

    copy = build(network.name, to_json(network.config))
    copy.load_state_dict(network.state_dict())
    round_weights(copy)
    return copy.cpu().eval().requires_grad_(False)


def _check_parity(
    reference: Network, bundle: Bundle, samples: Mapping[str, NDArray[np.float32]], backends: Sequence[str]
) -> None:
    with torch.inference_mode():
        tensors = [torch.from_numpy(np.array(samples[n])) for n in reference.input_names]
        expected = reference(*tensors).numpy()
    for backend in backends:
        with open_runner(bundle, backend) as runner:
            batch = runner.infer(samples)["logits"]
            first = runner.infer({n: a[:1] for n, a in samples.items()})["logits"]
        for what, got, wanted in (("batch", batch, expected), ("single sample", first, expected[:1])):
            if parity_error(got, wanted) > 1.0:
                worst = float(np.abs(got - wanted).max())
                raise ExportError(
                    f"{bundle.card.name}: {backend} differs from torch by {worst:.2g} on a {what} "
                    f"(allowed {PARITY_ATOL} + {PARITY_RTOL} * |logit|); the bundle was not written."
                )
        logger.info("%s: %s agrees with torch on %d samples", bundle.card.name, backend, len(expected))
