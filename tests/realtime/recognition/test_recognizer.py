"""From clips to probabilities: sequence networks, a device beside the CPU, clips of several threads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.moving_clips import moving_clip
from support.random_bundles import random_bundle, random_network
from support.tolerances import assert_close

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.device.choice import DeviceChoice
from mer_live.engines.errors import BackendError
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.represent import network_input, represent
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.cuda import CudaStage
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.recognition.recognizer import Recognition, Recognizer
from mer_live.training.export.bundle import round_weights


@pytest.mark.parametrize("offset", [None, 21])
def test_minet_answers_provisionally_and_finally(offset: int | None) -> None:
    bundle = random_bundle("minet")
    clip = moving_clip(1.5, -0.5, offset=offset, length=24 if offset else 15)
    with Recognizer([bundle], backend="onnxruntime") as recognizer:
        found = recognizer.recognize(clip)
    network = random_network("minet")
    round_weights(network)
    specs = [wanted.representation for wanted in bundle.card.inputs]
    inputs = [torch.from_numpy(network_input(represent(clip, spec), spec)[None]) for spec in specs]
    with torch.inference_mode():
        expected = network(*inputs).softmax(1).numpy()[0]
    np.testing.assert_allclose(found.probs, expected, atol=1e-3)
    assert [name for name, _ in found.stages_ns] == ["represent", "minet"]


ON_TORCH = DeviceChoice("cpu-torch", "a test")


def agnostic(name: str) -> Bundle:
    """A bundle whose card permits both flows."""
    bundle = random_bundle(name)
    return replace(bundle, card=replace(bundle.card, flows=("dis", "farneback")))


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch"])
def test_a_device_gives_what_the_cpu_gives(backend: str) -> None:
    """The same flow on both sides, OpenCV's on one and torch's on the other."""
    bundles = [agnostic(name) for name in ("madtn", "atnet", "minet")]
    clips = [moving_clip(1.5, -0.5, offset=21, length=24), moving_clip(-1.0, 0.5, offset=None, length=15)]
    with Recognizer(bundles, backend, device=ON_TORCH) as recognizer:
        got = [recognizer.recognize(replace(clip, adm=None)).probs for clip in clips]
        assert recognizer.flow == "farneback on the device"
        assert recognizer.adm is not None
        assert recognizer.adm.flow.method == "farneback"
    with Recognizer([bundle.with_flow("farneback") for bundle in bundles], "onnxruntime") as recognizer:
        expected = [recognizer.recognize(replace(clip, adm=None)).probs for clip in clips]
    assert_close("device-probs", got, expected)


def test_a_bundle_that_permits_one_flow_keeps_it_on_the_cpu() -> None:
    clip = moving_clip(1.5, -0.5, offset=21, length=24)
    bundles = [random_bundle("madtn"), random_bundle("atnet")]
    with Recognizer(bundles, "onnxruntime", device=ON_TORCH) as recognizer:
        got = recognizer.recognize(clip).probs
        assert recognizer.flow == "dis on the CPU"
        assert isinstance(recognizer.open_stage(224, FlowSpec(), recognizer.adm), CpuStage)
    with Recognizer(bundles, "onnxruntime") as recognizer:
        np.testing.assert_array_equal(got, recognizer.recognize(clip).probs)


def test_the_bundles_that_ship_have_their_rows_made_on_the_device() -> None:
    with Recognizer([load_bundle(name) for name in BUNDLES], "onnxruntime", device=ON_TORCH) as recognizer:
        assert recognizer.flow == "farneback on the device and farneback on the CPU"  # rows; ATNet's picture
        stage = recognizer.open_stage(224, FlowSpec(), recognizer.adm)
        assert isinstance(stage, CudaStage)
        stage.close()


def test_clips_that_wait_go_together() -> None:
    """Four threads, the first of which finds the engines free; all get the answer to their own clip."""
    clips = [moving_clip(1.0 + k, -0.5, offset=21, length=24, seed=k) for k in range(4)]
    with Recognizer([agnostic("madtn")], "torch", device=ON_TORCH) as recognizer:
        alone = [recognizer.recognize(clip).probs for clip in clips]
        found: dict[int, NDArray[np.float32]] = {}
        sizes: list[int] = []
        answer = recognizer._recognize

        def counted(taken: list[Clip]) -> list[Recognition]:
            sizes.append(len(taken))
            return answer(taken)

        recognizer._recognize = counted  # type: ignore[method-assign]
        threads = [
            threading.Thread(target=lambda k=k: found.update({k: recognizer.recognize(clips[k]).probs}))
            for k in range(4)
        ]
        with recognizer._turn:  # the engines are busy
            for thread in threads:
                thread.start()
            while len(recognizer._queue) < 4:
                time.sleep(0.001)
        for thread in threads:
            thread.join(60)
    assert sizes == [4]
    for k in range(4):
        assert_close("batch-single", found[k], alone[k])


def test_half_precision_is_tensorrts() -> None:
    with pytest.raises(BackendError, match="take --precision fp32"):
        Recognizer([random_bundle("madtn")], "onnxruntime", precision="fp16")
