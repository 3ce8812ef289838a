"""A sequence network takes its frames from the clip that the crop history hands out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.moving_clips import moving_clip
from support.random_bundles import random_bundle, random_network

from mer_live.engines.representation.represent import network_input, represent
from mer_live.realtime.recognition.recognizer import Recognizer
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
