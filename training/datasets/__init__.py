"""Readers of the databases: ``read_dataset("casme2", root)`` gives samples, and what was left out and why."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mer_live.training.datasets.identity import canonical_dataset
from mer_live.training.datasets.labels import Scheme
from mer_live.training.datasets.sample import Reading


def read_dataset(
    name: str,
    root: str | Path,
    *,
    scheme: Scheme = "cde",
    revision: Literal["2014", "2019"] = "2014",
    frames: Literal["raw", "cropped", "any"] = "any",
    fps: float = 0.0,
) -> Reading:
    """Read a database.

    Args:
        name: Any spelling of a database's name.
        root: Where it was unpacked; for a set without a reader of its own, its folder or a CSV.
        scheme: Which protocol's classes (CASME II differs between the composite and CDMER).
        revision: Sheet of CASME II.
        frames: Frames of CASME II.
        fps: Rate of a set without a reader of its own, or of another camera of 4DME's.

    Raises:
        DatasetError: A file or column is missing.
    """
    home = Path(root)
    dataset = canonical_dataset(name)
    match dataset:
        case "smic-hs" | "smic-vis" | "smic-nir":
            from mer_live.training.datasets.databases.smic import read_smic

            return read_smic(home, dataset)
        case "casme2":
            from mer_live.training.datasets.databases.casme2 import read_casme2

            return read_casme2(home, scheme, revision, frames)
        case "samm":
            from mer_live.training.datasets.databases.samm import read_samm

            return read_samm(home, scheme)
        case "casme" | "mmew" | "4dme":
            from mer_live.training.datasets.databases.one_sheet import read_one_sheet

            return read_one_sheet(home, dataset, fps)
        case "casme3":
            from mer_live.training.datasets.databases.casme3 import read_casme3

            return read_casme3(home)
        case "dfme":
            from mer_live.training.datasets.databases.dfme import read_dfme

            return read_dfme(home)
        case "casme-sq":
            from mer_live.training.datasets.databases.casme_sq import read_casme_sq

            return read_casme_sq(home)
        case "samm-lv":
            from mer_live.training.datasets.databases.samm_lv import read_samm_lv

            return read_samm_lv(home)
        case "ck+":
            from mer_live.training.datasets.databases.ckplus import read_ckplus

            return read_ckplus(home)
        case "mmi":
            from mer_live.training.datasets.databases.mmi import read_mmi

            return read_mmi(home)
        case "jaffe":
            from mer_live.training.datasets.databases.jaffe import read_jaffe

            return read_jaffe(home)
        case "oulu-casia" | "mug" | "bu-3dfe":
            from mer_live.training.datasets.databases.posed import read_posed

            return read_posed(home, dataset)
    from mer_live.training.datasets.databases.generic import read_csv, read_folders

    return read_csv(home, dataset, fps) if home.suffix.lower() == ".csv" else read_folders(home, dataset, fps)
