from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.spotted import recording

from mer_live.benchmarks.result import Result as BenchmarkResult
from mer_live.benchmarks.spotting import sets
from mer_live.benchmarks.spotting.cameras import Encoder, flickering, motionless, through
from mer_live.benchmarks.spotting.figures import figures
from mer_live.benchmarks.spotting.run import material, measure, portrait, run
from mer_live.benchmarks.spotting.sets import Made, Scale, Task, recorded
from mer_live.realtime.motion.regions import REGIONS
from mer_live.training.spotter.injected import PARTS, SILENT_PX, SPEAKING_PX, mouth_px, plan
from mer_live.training.spotter.recordings import Footage
from mer_live.training.synthesis.faces.face_model import FacePhoto


@pytest.fixture(scope="module")
def photo() -> FacePhoto:
    pytest.importorskip("skimage")
    return portrait()


def test_a_motionless_face_differs_by_noise_alone(photo: FacePhoto) -> None:
    a, b = motionless(photo, np.random.default_rng(0), 0.08, 25, 2.0)
    assert a.shape == (480, 640, 3)
    assert np.std(a.astype(float) - b) == pytest.approx(2.0 * 2**0.5, rel=0.15)


@pytest.mark.parametrize("encoder", [Encoder("libx264", 30, 5), Encoder("mjpeg", 4000)])
def test_encoders_give_back_every_frame_a_little_worse(photo: FacePhoto, encoder: Encoder) -> None:
    frames = motionless(photo, np.random.default_rng(0), 0.4, 25, 1.0)
    seen = through(frames, encoder, 25)
    assert len(seen) == len(frames) == 10
    worse = np.abs(np.stack(seen).astype(float) - np.stack(frames)).mean()
    assert 0.1 < worse < 10


def test_mains_light_flickers_as_deep_as_told(photo: FacePhoto) -> None:
    level = np.array([f.mean() for f in flickering(photo, np.random.default_rng(0), 0.25, 400, 100, 0.1)])
    assert level.max() / level.min() == pytest.approx(1.1 / 0.9, rel=0.05)


def test_the_mouths_own_movement_says_whether_a_face_speaks() -> None:
    still = recording(25, 4.0, ())
    assert (mouth_px(still) < SILENT_PX).all()
    motions = list(still.motions)
    for k, m in enumerate(motions[50:75]):
        assert m is not None
        m.regions[REGIONS.index("chin"), 1] += 3 * np.sin(k)
    moved = mouth_px(still)
    assert (moved[52:73] > SPEAKING_PX).all()
    assert (moved[:40] < SILENT_PX).all()


def test_what_was_recorded_is_not_made_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Made:
        made.append(1)
        return [("a set", recording(25, 1.0))]

    for _ in range(2):
        found = recorded([Task(make, "some-key")], tmp_path, 1)
        assert list(found) == ["a set"]
    assert len(made) == 1
    recorded([Task(make, "another-key")], tmp_path, 1)
    assert len(made) == 2


def test_keys_follow_arguments(photo: FacePhoto) -> None:
    keys = {sets._task("draw", partial(sets._blinking, photo, 1.0, seed)).key for seed in (1, 2, 1)}
    assert len(keys) == 2


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--faces, --talking, --clips.*--quick"):
        run()
    with pytest.raises(ValueError, match="no folder"):
        material(tmp_path / "none", None, None, Scale())
    (tmp_path / "someone").mkdir()
    pytest.importorskip("skimage")
    with pytest.raises(ValueError, match="someone"):
        material(None, tmp_path, None, Scale())


SMALL = Scale(
    takes=1,
    injected=1,
    passes=1,
    animated=1,
    seconds=2.5,
    blinks_s=2.0,
    fades=1,
    rates=(200.0, 25.0),
    encoders=(Encoder("libx264", 30, 12),),
    noises=(1.0,),
    still_s=1.2,
    flicker_fps=(30.0,),
    jobs=1,
)


@pytest.mark.slow
def test_the_benchmark_runs_without_any_data(tmp_path: Path, photo: FacePhoto) -> None:
    pytest.importorskip("matplotlib")
    clip = tmp_path / "clips" / "somebody" / "a.avi"
    clip.parent.mkdir(parents=True)
    frames = motionless(photo, np.random.default_rng(0), 1.6, 25, 1.0)
    file = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 480))
    for frame in frames:
        file.write(frame)
    file.release()
    out = tmp_path / "out"
    people = material(None, clip.parent.parent, None, SMALL)
    report = measure(people, SMALL, out=out, kept=tmp_path / "kept")
    assert report["people"] == {"animated": ["portrait"], "talkers": ["somebody"]}
    assert {"animated 200 fps", "animated 25 fps", "blinks", "slow fades", "talker somebody"} <= set(
        report["sets"]
    )
    assert {"motionless libx264 30 g12", "flicker 100 Hz", "standing picture"} <= set(report["sets"])
    assert report["sets"]["standing picture"]["false_alarms_per_minute"]["provisional"] == 0
    result = BenchmarkResult("spotting", figures=figures(report), details=report)
    result.write(tmp_path / "result.json")
    again = BenchmarkResult.read(tmp_path / "result.json")
    assert again.figure("beyond the shared flow").target == 1.0
    assert list(out.glob("animated_200_fps-*.json"))
    assert list((tmp_path / "kept").glob("*.pkl"))


def test_events_are_planned_where_the_face_speaks_or_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    footage = Footage.__new__(Footage)
    still = recording(25, 12.0, ())
    footage.fps, footage.name, footage.person, footage.frames = 25.0, "clip", "a", []
    footage.__dict__["plain"] = still
    footage.__dict__["landmarks"] = [None] * len(still.motions)
    footage.__dict__["_poses"] = np.zeros((len(still.motions), 4))
    silent = plan(footage, np.random.default_rng(0), speaking=False)
    assert len(silent) >= 4
    assert {p.truth.part for p in silent} == set(PARTS)
    assert all(p.truth.speaking is False and p.truth.span.onset.t_ns > 0.9e9 for p in silent)
    assert plan(footage, np.random.default_rng(0), speaking=True) == []


@pytest.mark.parametrize(("back_first", "order"), [(False, [0, 1, 2, 1, 0]), (True, [2, 1, 0, 1, 2])])
def test_a_clip_goes_there_and_back_with_its_landmarks(back_first: bool, order: list[int]) -> None:
    footage = Footage.__new__(Footage)
    footage.fps, footage.name, footage.person = 25.0, "clip", "a"
    footage.frames = [np.full((4, 4, 3), k, np.uint8) for k in range(3)]
    footage.landmarks = [None, np.random.default_rng(0).random((478, 2), np.float32), None]
    assert footage.seen.tolist() == [False, True, False]
    both = footage.there_and_back(back_first=back_first)
    assert [int(f[0, 0, 0]) for f in both.frames] == order
    assert both.seen.tolist() == [k == 1 for k in order], "poses are those of its own order"
    assert len(footage.frames) == 3
    assert both.name != footage.name
