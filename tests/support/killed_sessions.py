"""Recordings that are cut off: `python tests/support/killed_sessions.py 50` kills as many at random moments."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.session.layout import FRAMES, INFO
from mer_live.realtime.session.read import RecordedPictures, read_session


def record_and_kill(folder: Path, after_s: float) -> tuple[int, int]:
    """Record the demo clip, kill the process ``after_s`` from the first file on; (rows, pictures that can be read)."""
    command = [sys.executable, "-m", "mer_live.realtime.cli", "--video", str(demo_clip()), "--no-ui"]
    command += ["--pace", "realtime", "--bundle", "madtn", "--record", str(folder), "--record-codec", "crops"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not ((folder / INFO).exists() and (folder / FRAMES).exists()):
            assert process.poll() is None
            time.sleep(0.005)
        if after_s > 0:  # from the first rows on: before, the face model loads
            while (folder / FRAMES).stat().st_size < 200:
                assert process.poll() is None
                time.sleep(0.005)
        time.sleep(after_s)
        process.kill()
    session = read_session(folder)
    assert not session.info["complete"]
    assert (np.diff(session.frames.index) > 0).all()
    assert all(anchor in session.anchorings for anchor in np.unique(session.frames.anchor) if anchor > 0)
    assert isinstance(session.events, list)
    count = 0
    with RecordedPictures(session) as pictures:
        while pictures.read(count) is not None:
            count += 1
    return len(session.frames.index), count


if __name__ == "__main__":
    chance = random.Random(0)
    for number in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as scratch:
            rows, pictures = record_and_kill(Path(scratch) / "session", chance.uniform(0, 4))
            print(f"{number + 1}: {rows} rows, {pictures} pictures", flush=True)
