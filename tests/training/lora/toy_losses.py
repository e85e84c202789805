"""Losses of one file each, as a newcomer would write them: by their address they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import Need, Prediction


class Pull(Params):
    """Draws what one prompt gives towards what another gives."""

    weight: float = param(1.0, low=0, high=10, help="of the gap")

    @property
    def needs(self) -> Sequence[Need]:
        return Need("learning", "student", "concept"), Need("target", "frozen", "anchor")

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        assert set(predictions) == {"learning", "target"}  # and nothing else
        gap = predictions["learning"].eps - predictions["target"].eps
        return {"pull": self.weight * gap.square().mean()}


class Breaks(Pull):
    """Gives no number from one step on."""

    at: int = param(4, low=1, high=100, help="the step, counted from 1")
    steps: ClassVar[list[int]] = []

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        self.steps.append(1)
        poison = torch.nan if len(self.steps) >= self.at else 0.0
        return {**super().terms(predictions), "held": predictions["learning"].raw.mean() * 0 + poison}


class Steep(Breaks):
    """Gives a number from one step on, of which there is no gradient."""

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        self.steps.append(1)
        edge = predictions["learning"].raw.mean() * 0
        return {**Pull.terms(self, predictions), "held": edge.sqrt() if len(self.steps) >= self.at else edge}


class Idle(Params):
    """Asks the edit that learns for nothing."""

    @property
    def needs(self) -> Sequence[Need]:
        return (Need("target", "frozen", "anchor"),)

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        return {"nothing": predictions["target"].eps.square().mean()}


class Denoise(Params):
    """Learns pictures: the ordinary loss of diffusion, on the noise that was put on them."""

    @property
    def needs(self) -> Sequence[Need]:
        return Need("learning", "student", "concept"), Need("noise", "truth", "concept")

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        noise = predictions["noise"]
        x0 = (noise.x - noise.s * noise.eps) / noise.a.clamp(min=1e-3)
        assert torch.allclose(noise.x0, x0, atol=1e-3)
        return {"gap": (predictions["learning"].eps - noise.eps).square().mean()}


class Greedy(Pull):
    """Has no room from one step on."""

    at: int = param(3, low=1, high=100, help="the step, counted from 1")
    steps: ClassVar[list[int]] = []

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        self.steps.append(1)
        if len(self.steps) >= self.at:
            raise MemoryError
        return super().terms(predictions)
