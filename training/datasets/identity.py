"""One spelling for databases, subjects and labels, whatever a sheet, a folder or a hand wrote.

Subjects are namespaced by the group of people, not by the camera: SMIC's three cameras filmed the
same people, and so did SAMM's two releases, so a subject-disjoint split over both stays disjoint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mer_live.realtime.types import CLASSES

_KNOWN: dict[str, str] = {
    "smic": "smic-hs",
    "smichs": "smic-hs",
    "smicvis": "smic-vis",
    "smicnir": "smic-nir",
    "smichse": "smic-hs",
    "smicvise": "smic-vis",
    "smicnire": "smic-nir",
    "casme": "casme",
    "casme1": "casme",
    "casme2": "casme2",
    "casmeii": "casme2",
    "samm": "samm",
    "sammlv": "samm-lv",
    "sammlongvideos": "samm-lv",
    "sammlong": "samm-lv",
    "casmesq": "casme-sq",
    "casmesquared": "casme-sq",
    "casme²": "casme-sq",
    "casme3": "casme3",
    "casmeiii": "casme3",
    "casmecubed": "casme3",
    "casme³": "casme3",
    "dfme": "dfme",
    "mmew": "mmew",
    "4dme": "4dme",
    "ck": "ck+",
    "ckplus": "ck+",
    "cohnkanade": "ck+",
    "mmi": "mmi",
    "jaffe": "jaffe",
    "oulu": "oulu-casia",
    "oulucasia": "oulu-casia",
    "mug": "mug",
    "bu3dfe": "bu-3dfe",
}
_PEOPLE = {"smic-hs": "smic", "smic-vis": "smic", "smic-nir": "smic", "samm-lv": "samm"}
_NUMBERED = re.compile(r"(?:subject|sub|spno|s)?[ _.-]?0*(\d+)(?:\.0+)?", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"0*(\d+)(?:\.0+)?")


def canonical_dataset(name: str) -> str:
    """Return the one spelling of a database, such as ``smic-hs``, ``casme2``, ``samm``, ``casme-sq``.

    ``SMIC`` alone is SMIC-HS, as in the MEGC 2019 list. An unknown name becomes a lower-case slug.

    Raises:
        ValueError: the name is empty.
    """
    text = name.strip().lower()
    # CAS(ME)^2 and CASME2 differ only in punctuation.
    if "(me)" in text and text.endswith(("2", "²")):
        return "casme-sq"
    if "(me)" in text and text.endswith(("3", "³")):
        return "casme3"
    known = _KNOWN.get(re.sub(r"[^a-z0-9²³]", "", text))
    if known is not None:
        return known
    slug = re.sub(r"[^a-z0-9+]+", "-", text).strip("-")
    if not slug:
        raise ValueError(f"the dataset name {name!r} is empty: write casme2, samm or a name of your own")
    return slug


def people_of(dataset: str) -> str:
    """Return the namespace of a canonical database's subjects: ``smic`` for all three SMIC cameras."""
    return _PEOPLE.get(dataset, dataset)


def canonical_subject(dataset: str, subject: str | int | float) -> str:
    """Return ``people/subject``: ``6``, ``'006'``, ``sub06``, ``SAMM/006`` of SAMM are all ``samm/006``.

    Letters before the number (``s``, ``sub``) are dropped for databases with numbered subjects only
    where they mean nothing; in a database without a reader of its own ``s1`` stays ``s1``.

    Raises:
        ValueError: the subject is empty, or carries the namespace of another database.
    """
    dataset = canonical_dataset(dataset)
    people = people_of(dataset)
    text = str(subject).strip()
    if "/" in text:
        prefix, text = (part.strip() for part in text.rsplit("/", 1))
        if people_of(canonical_dataset(prefix)) != people:
            raise ValueError(f"subject {subject!r} names another database than its row, {dataset}")
    if not text or text.lower() == "nan":
        raise ValueError(f"a row of {dataset} has no subject: without one splits cannot be disjoint")
    pattern = _NUMBERED if dataset in _KNOWN.values() else _PLAIN_NUMBER
    match = pattern.fullmatch(text)
    name = f"{int(match.group(1)):03d}" if match else text.lower()
    return f"{people}/{name}"


def parse_label(value: str | int | float, classes: Sequence[str] = CLASSES) -> int:
    """Return the number of a class from its name or its number.

    Args:
        value: As written.
        classes: Their names, in order.

    Raises:
        ValueError: neither; the sentence lists what is allowed.
    """
    text = str(value).strip().lower()
    if text in classes:
        return classes.index(text)
    match = _PLAIN_NUMBER.fullmatch(text)
    if match and int(match.group(1)) < len(classes):
        return int(match.group(1))
    allowed = ", ".join(f"{name} ({number})" for number, name in enumerate(classes))
    raise ValueError(f"unknown label {value!r}: allowed are {allowed}")
