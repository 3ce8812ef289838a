"""``python docs/scripts/failures.py FACES WORK``: what each shipped bundle names wrong, counted and drawn.

FACES is the folder of photographs, WORK that of `mer-train zoo`: the same held-out clips that the cards score. Writes
docs/failures/NAME.jpg and docs/failures/failures.json, of which the page of model cards is made. A bundle that was
trained anew needs this once more; until then the page says that its picture is of an earlier one.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import list_bundles, load_bundle
from mer_live.engines.files import write_atomically, write_json
from mer_live.engines.representation.flow import make_flow
from mer_live.realtime.session.review.loop import magnify
from mer_live.realtime.types import CLASSES
from mer_live.training.zoo.clips import ZooClips, make_clips, take
from mer_live.training.zoo.recipes import ZooConfig
from mer_live.training.zoo.score import probabilities

OUT = Path(__file__).resolve().parents[1] / "failures"
SHOWN, GAIN = 5, 6.0
SIDE_PX, TEXT_PX, STEP_PX, LEAST_PX = 224, 44, 14, 0.2


def wrong_ones(clips: ZooClips, probs: NDArray[np.float32]) -> list[int]:
    """Rows that are named wrong, the surest first; one a person, so that no face stands for all."""
    found: dict[str, int] = {}
    for row in np.argsort(-probs.max(1)):
        if probs[row].argmax() != clips.label[row]:
            found.setdefault(str(clips.subject[row]), int(row))
    return list(found.values())[:SHOWN]


def drawn(clips: ZooClips, probs: NDArray[np.float32], rows: list[int]) -> NDArray[np.uint8]:
    """A column a clip, shown on the average of all these faces, so that nobody is shown.

    Arrows where the face moved from onset to apex, then the same movement enlarged, then what it is and what was said.
    """
    flow = make_flow()
    face = clips.key_frames[:, 0].mean(axis=0).astype(np.uint8)
    columns = []
    for row in rows:
        onset, apex = clips.key_frames[row][:2]
        field = cv2.GaussianBlur(np.array(flow(onset, apex)), (0, 0), 3)
        field -= np.median(field.reshape(-1, 2), axis=0)  # the head
        pictures = [_arrows(face, field), magnify(face, field, GAIN)]
        text = np.full((TEXT_PX, SIDE_PX), 255, np.uint8)
        said = int(probs[row].argmax())
        for k, words in enumerate(
            (
                f"is {CLASSES[clips.label[row]]}, said {CLASSES[said]} {probs[row, said]:.2f}",
                f"{clips.intensity_px[row]:.1f} px, {clips.fps[row]:.0f} fps",
            )
        ):
            cv2.putText(text, words, (2, 16 + 18 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA)
        columns.append(np.vstack([*pictures, text]))
    return np.hstack(columns)


def _arrows(face: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    picture = cv2.addWeighted(face, 0.5, np.full_like(face, 255), 0.5, 0)
    for y in range(STEP_PX // 2, SIDE_PX, STEP_PX):
        for x in range(STEP_PX // 2, SIDE_PX, STEP_PX):
            dx, dy = GAIN * field[y, x]
            if np.hypot(dx, dy) >= GAIN * LEAST_PX:
                cv2.arrowedLine(
                    picture, (x, y), (round(x + dx), round(y + dy)), 0, 1, cv2.LINE_AA, tipLength=0.35
                )
    return np.asarray(picture, np.uint8)


def main(faces: Path, work: Path) -> None:
    """Judge every shipped bundle on the final clips and write what it gets wrong."""
    config = ZooConfig()
    held = make_clips(faces, work, split="test", count=config.held_clips, seed=config.seed, jobs=config.jobs)
    final = take(held, np.flatnonzero(held.final))
    told: dict[str, Any] = {}
    OUT.mkdir(exist_ok=True)
    for name in list_bundles():
        bundle = load_bundle(name)
        probs = probabilities(bundle, final)
        guess = probs.argmax(1)
        pairs = Counter(
            f"{CLASSES[truth]}, said {CLASSES[said]}"
            for truth, said in zip(final.label, guess, strict=True)
            if truth != said
        )
        told[name] = {
            "sha256": bundle.card.sha256,
            "clips": len(final.label),
            "wrong": dict(pairs.most_common()),
        }
        picture = drawn(final, probs, wrong_ones(final, probs))
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        write_atomically(OUT / f"{name}.jpg", data.tobytes())
        print(name, told[name])
    write_json(OUT / "failures.json", told)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
