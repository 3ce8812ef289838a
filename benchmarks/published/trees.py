"""Trees in the owners' layouts at the published counts, their pictures linked from the bank of takes."""

from __future__ import annotations

from pathlib import Path

from mer_live.benchmarks.published.bank import ShotBank
from mer_live.benchmarks.published.clips import LEFT_OUT, casme2_name, clips_of, samm_name, smic_name
from mer_live.benchmarks.published.long_videos import LONG
from mer_live.benchmarks.published.micro import MICRO
from mer_live.benchmarks.published.posed import POSED
from mer_live.training.datasets.labels import emotion_name, usual_class
from mer_live.training.datasets.published import EMOTIONS


def write_tree(name: str, root: Path, bank: ShotBank, share: float = 1.0) -> Path | None:
    """Write a database, whole or a share of it; give the folder of a clip to watch live, where it has one."""
    if name in LONG:
        return LONG[name](root, bank, share)
    if name in MICRO:
        return MICRO[name](root, clips_of(name, bank, share))
    POSED[name](root, clips_of(name, bank, share, "macro"))
    return None


def megc_list(file: Path, bank: ShotBank, share: float) -> Path:
    """Write MEGC 2019's list of these trees: dataset, subject, clip, label, as its authors spell them."""
    lines = []
    for name, spelt in (("smic-hs", "smic"), ("casme2", "casme2"), ("samm", "samm")):
        for c in clips_of(name, bank, share):
            label = (
                usual_class(emotion_name(c.word))
                if name != "casme2"
                else EMOTIONS["megc"]["casme2"].get(c.word)
            )
            title = {"smic": smic_name, "casme2": casme2_name, "samm": samm_name}[spelt](c)
            if label is not None and (name, c.subject, title) not in LEFT_OUT:
                person = f"sub{c.subject:02}" if name == "casme2" else str(c.subject)
                lines.append(f"{spelt},{person},{title},{label}\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines), encoding="utf-8")
    return file
