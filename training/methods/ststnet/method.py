"""STSTNet (Liong, Gan, See, Khor, Huang; FG 2019): the shallow network that later papers compare with."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.networks.ststnet import StstnetNetwork
from mer_live.engines.representation.specs import Flow3Spec, RepresentationSpec
from mer_live.training.learning.data import Labelled, Rows
from mer_live.training.learning.trainer import Fit, Solver, derive, seeded
from mer_live.training.methods.network import LoopConfig, NetworkMethod


@dataclass(frozen=True, slots=True)
class StstnetConfig(LoopConfig):
    """The paper's settings: Adam, 5e-5, 500 epochs (the authors' later Python code: 800), batch 256.

    Deviation: their code never shuffles; ours shuffles every epoch.
    """

    epochs: int = 500
    batch: int = 256
    lr: float = 5e-5
    size: int = 28


class Ststnet(NetworkMethod):
    """Input ``flow`` (28, 28, 3): horizontal flow, vertical flow, optical strain, onset to apex."""

    name: ClassVar[str] = "ststnet"
    paper: ClassVar[str] = (
        "Liong, Gan, See, Khor, Huang: Shallow Triple Stream Three-dimensional CNN, FG 2019"
    )
    Config = StstnetConfig
    stacks: ClassVar[bool] = True

    def build(self) -> Network:
        """Return a fresh network."""
        return build("ststnet", {"size": self.config.size, "classes": len(self.classes)})

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input."""
        return {"flow": Flow3Spec(size=self.config.size)}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam at a fixed rate."""
        return Solver(torch.optim.Adam(network.parameters(), lr=self.config.lr))

    @classmethod
    def fit_many(
        cls,
        models: Sequence[Self],
        pool: Labelled,
        rows: Sequence[Rows],
        names: NDArray[np.int64],
        *,
        seeds: Sequence[int],
        order_seed: int,
    ) -> None:
        """Train many models at once: ``seeds`` decide weights and dropout, ``order_seed`` the order of the clips."""
        first = models[0]
        if first.config.inner_fraction > 0:
            super().fit_many(models, pool, rows, names, seeds=seeds, order_seed=order_seed)
            return
        from mer_live.training.methods.ststnet.loop import train_stack

        networks = []
        for model, seed in zip(models, seeds, strict=True):
            with seeded(derive(seed, 0)):
                model.classes = pool.classes
                networks.append(cast(StstnetNetwork, model.build()))
        x = first.tensors(pool.inputs)["flow3"]
        labels = torch.from_numpy(np.ascontiguousarray(pool.labels))
        config = first.config
        begin = time.perf_counter()
        trained, losses = train_stack(
            networks,
            x,
            labels,
            rows,
            names,
            order_seed=order_seed,
            seeds=seeds,
            epochs=config.epochs,
            batch=config.batch,
            lr=config.lr,
        )
        seconds = (time.perf_counter() - begin) / len(models)
        for model, network, history in zip(models, trained, losses, strict=True):
            model.network = network
            model.report = Fit(config.epochs, [{"cross_entropy": v, "total": v} for v in history], seconds)
