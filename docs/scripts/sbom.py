"""``python docs/scripts/sbom.py [EXTRA ...]``: what an install brings, with versions and licences, as CycloneDX JSON.

Reads what is installed only: each package's metadata, and the shared libraries that its wheel carries, whose licences
the metadata do not tell. Exit status 1 where a package of the base install is copyleft or says no licence; a copyleft
library inside a wheel is told on stderr.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import PurePath
from typing import Any

from packaging.requirements import Requirement

COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
BUNDLED = {
    # PyAV issues 2270 and 2408: its wheels on PyPI are built with both, though its own licence is BSD.
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "avcodec": "LGPL-2.1-or-later",
    "avdevice": "LGPL-2.1-or-later",
    "avfilter": "LGPL-2.1-or-later",
    "avformat": "LGPL-2.1-or-later",
    "avutil": "LGPL-2.1-or-later",
    "swresample": "LGPL-2.1-or-later",
    "swscale": "LGPL-2.1-or-later",
    "mp3lame": "LGPL-2.0-or-later",
    "gnutls": "LGPL-2.1-or-later",
    "gmp": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "hogweed": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "nettle": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "unistring": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "quadmath": "LGPL-2.1-or-later",
    "Qt5Core": "LGPL-3.0-only",
    "Qt5Gui": "LGPL-3.0-only",
    "Qt5Test": "LGPL-3.0-only",
    "Qt5Widgets": "LGPL-3.0-only",
    "Qt5XcbQpa": "LGPL-3.0-only",
}
"""Libraries with a copyleft licence, strong or weak, that wheels of our dependencies carry; looked up by hand."""


def licence_of(package: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the licence field; '' where nothing is said."""
    told = package.metadata
    classes = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier", []) if c.startswith("License ::")]
    return (
        told.get("License-Expression")
        or "; ".join(classes)
        or (told.get("License") or "").strip().split("\n")[0]
    )


def carried(package: Distribution) -> list[str]:
    """Names of the shared libraries of others that a package's wheel carries (``x264``), sorted."""
    found = set()
    for file in package.files or ():
        if re.search(r"\.(libs|dylibs)$", PurePath(file).parts[0]) or "/.dylibs/" in str(file):
            found.add(re.split(r"[-.]", PurePath(file).name.removeprefix("lib"))[0])
    return sorted(found)


def installed(root: str = "mer-live", extras: tuple[str, ...] = ()) -> list[Distribution]:
    """Every package that an install of ``root`` with these extras brings, ``root`` left out; sorted by name."""
    found: dict[str, Distribution] = {}
    queue = [(root, extras)]
    while queue:
        name, wanted = queue.pop()
        for text in distribution(name).requires or []:
            need = Requirement(text)
            key = re.sub(r"[-_.]+", "-", need.name).lower()
            if need.marker and not any(need.marker.evaluate({"extra": e}) for e in ("", *wanted)):
                continue
            if key in found or key == root:
                continue
            try:
                found[key] = distribution(key)
            except PackageNotFoundError:
                continue  # of another platform
            queue.append((key, tuple(need.extras)))
    return [found[key] for key in sorted(found)]


def sbom(packages: list[Distribution]) -> dict[str, Any]:
    """CycloneDX 1.5 of these packages, each with the libraries that its wheel carries."""
    parts = []
    for p in packages:
        part: dict[str, Any] = {
            "type": "library",
            "name": p.name,
            "version": p.version,
            "purl": f"pkg:pypi/{p.name.lower()}@{p.version}",
            "licenses": [{"license": {"name": licence_of(p)}}],
        }
        if libraries := carried(p):
            part["components"] = [
                {"type": "library", "name": name}
                | ({"licenses": [{"license": {"name": BUNDLED[name]}}]} if name in BUNDLED else {})
                for name in libraries
            ]
        parts.append(part)
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": parts}


def main() -> int:
    """Print the list; 1 where the base install holds what it must not."""
    print(json.dumps(sbom(installed(extras=tuple(sys.argv[1:]))), indent=2))
    base = installed()
    wrong = [p.name for p in base if COPYLEFT.search(licence_of(p)) or not licence_of(p)]
    for name in wrong:
        print(f"{name} is copyleft or says no licence: keep it out of the base install.", file=sys.stderr)
    for p in base:
        if strong := [n for n in carried(p) if BUNDLED.get(n) == "GPL-2.0-or-later"]:
            print(
                f"The wheel of {p.name} carries {' and '.join(strong)} (GPL): who passes it on, as in an image, passes "
                "that on too.",
                file=sys.stderr,
            )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
