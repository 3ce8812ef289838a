"""``python docs/scripts/sbom.py [EXTRA ...]``: what an install brings, with versions and licences, as CycloneDX JSON.

Reads the metadata of the installed packages only. Exit status 1 where a package of the base install is copyleft
or says no licence.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)


def licence_of(package: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the licence field; '' where nothing is said."""
    told = package.metadata
    classes = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier", []) if c.startswith("License ::")]
    return (
        told.get("License-Expression")
        or "; ".join(classes)
        or (told.get("License") or "").strip().split("\n")[0]
    )


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
    """CycloneDX 1.5 of these packages."""
    parts = [
        {
            "type": "library",
            "name": p.name,
            "version": p.version,
            "purl": f"pkg:pypi/{p.name.lower()}@{p.version}",
            "licenses": [{"license": {"name": licence_of(p)}}],
        }
        for p in packages
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": parts}


def main() -> int:
    """Print the list; 1 where the base install holds what it must not."""
    print(json.dumps(sbom(installed(extras=tuple(sys.argv[1:]))), indent=2))
    wrong = [p.name for p in installed() if COPYLEFT.search(licence_of(p)) or not licence_of(p)]
    for name in wrong:
        print(f"{name} is copyleft or says no licence: keep it out of the base install.", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
