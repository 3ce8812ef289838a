"""Each figure is drawn from what its command is given, and shows what it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
from support.folders import write_set
from support.live_sets import write_live_set
from support.random_bundles import CONFIGS, random_network, samples_of
from torch import Tensor, nn
from typer.testing import CliRunner

from mer_live.engines.networks.base import Network
from mer_live.training.cli.main import app
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.figures.attention import grad_cam
from mer_live.training.figures.embedding import vectors
from mer_live.training.figures.motion import some_of_each
from mer_live.training.prepared.prepared_set import PreparedSet


def draw(*arguments: object, out: Path) -> np.ndarray:
    result = CliRunner().invoke(app, ["figures", *map(str, arguments), "--out", str(out)])
    assert result.exit_code == 0, result.output
    image = cv2.imread(str(out))
    assert image is not None
    assert image.std() > 5, "something is drawn"
    return image


class Bright(Network):
    """Says the first class where a picture is bright and the second where it is dark."""

    name: ClassVar[str] = "bright"

    def __init__(self) -> None:
        super().__init__()
        self.input_names = ("apex",)
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        self.conv.requires_grad_(False)

    def features(self, *inputs: Tensor) -> Tensor:
        return self.conv(inputs[0]).mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        return torch.cat([features, -features, 0 * features], 1)


def test_the_map_lies_where_the_answer_comes_from() -> None:
    picture = torch.zeros(2, 1, 8, 8)
    picture[:, :, 1:3, 5:7] = 1.0
    cams = grad_cam(Bright(), (picture,), torch.tensor([0, 1]))
    assert cams[0] == pytest.approx(picture[0, 0].numpy())
    assert cams[1].max() == 0, "nothing speaks for the second class"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_network_has_a_map(name: str) -> None:
    network = random_network(name)
    samples = samples_of(network, 2)
    inputs = tuple(torch.from_numpy(samples[one]) for one in network.input_names)
    cams = grad_cam(network, inputs, torch.tensor([0, 2]))
    assert cams.shape == (2, cams.shape[1], cams.shape[1])
    assert np.isfinite(cams).all()
    assert 0 <= cams.min() <= cams.max() <= 1


def test_attention_of_a_bundle_and_of_a_folds_weights(tmp_path: Path) -> None:
    data = write_live_set(tmp_path)
    flow = {"flow": "flow3"}
    evaluate(
        EvaluationRequest(data, "loso", "ststnet", flow, {"epochs": 1}), out=tmp_path / "e", keep_weights=True
    )
    fold = next((tmp_path / "e" / "weights").glob("*/*"))
    given = ("attention", "--data", data, "--clips", 1)
    one = draw(*given, "--of", fold, out=tmp_path / "one.png")
    two = draw(*given, "--of", fold, "--of", fold, out=tmp_path / "two.png")
    assert two.shape[1] > one.shape[1]
    rows = vectors(PreparedSet.open(data), str(fold))
    assert rows.shape[0] == 6
    assert np.isfinite(rows).all()
    draw("motion", "--data", data, out=tmp_path / "m.png")
    draw("tsne", "--data", data, "--of", fold, out=tmp_path / "t.png")


def test_a_map_of_arrays_and_features(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D")
    draw("tsne", "--data", data, "--of", "uvs28", out=tmp_path / "raw.png")
    np.save(data / "flow3.npy", np.load(data / "uvs28.npy"))
    draw("tsne", "--data", data, "--of", "hoof", out=tmp_path / "hoof.png")
    prepared = PreparedSet.open(data)
    assert vectors(prepared, "hoof").shape == (24, 200)
    assert np.bincount(prepared.labels[some_of_each(prepared, 3)]).tolist() == [3, 3, 3]


def swept(value: str, uf1: float) -> dict[str, Any]:
    scores = {"full": {"uf1": uf1, "interval": {"uf1": [uf1 - 0.1, uf1 + 0.1]}}}
    return {"row": f"madtn/mmd_weight={value}", "scores": scores}


def test_a_line_along_lambda(tmp_path: Path) -> None:
    rows = [swept("0", 0.5), swept("2", 0.7), {"row": "hoof/linear", "scores": {}}, {"row": "madtn/lr=1"}]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"tables": [{"protocol": "cdmer1", "rows": rows}]}))
    draw("sweep", "--table", table, out=tmp_path / "s.png")
    table.write_text(json.dumps({"tables": [{"protocol": "cdmer1", "rows": rows[2:]}]}))
    for arguments, words in (
        (("sweep", "--table", table), "holds no sweep"),
        (("sweep",), "--table"),
        (("motion",), "--data"),
        (("attention", "--data", write_set(tmp_path / "D")), "--of"),
        (("tsne", "--data", tmp_path / "D", "--of", "nobody"), "nobody"),
        (("pie",), "choose sweep, motion, attention, tsne"),
    ):
        failed = CliRunner().invoke(app, ["figures", *map(str, arguments), "--out", str(tmp_path / "x.png")])
        assert failed.exit_code == 2, failed.output
        assert words in failed.output
    assert not (tmp_path / "x.png").exists()
