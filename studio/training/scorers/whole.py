"""How surely a picture is one of Stencil's world: minus the oracle's logit of being none. The prompt does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from studio.training.scorers.base import check
from studio.world.oracle import BLOCK, Oracle, prepare, version


@dataclass(frozen=True, eq=False)
class Whole:
    """A Scorer. oracle: whose network is climbed; it was not trained for that, and is easily fooled by who does."""

    oracle: Oracle
    id: str
    name: str = "whole"

    def score(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """See Scorer."""
        check(images, prompts)
        blocks = prepare(images).to(self.oracle.device).split(BLOCK)
        return torch.cat([-self.oracle.net(block)["invalid"] for block in blocks]).float()


def load(place: Path) -> Whole:
    """Load it; it lies where the program does. Raises AssetError."""
    return Whole(Oracle.load(), version())
