"""What comes back from the network: a prediction at a noise level, in whichever space a method works."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, from_x0, to_eps, to_x0


@dataclass(frozen=True)
class NoisePoint:
    """One noise level: x = a*x0 + s*eps; t is the time the network is fed. Comes from a Grid, never a scheduler."""

    a: float
    s: float
    t: float

    @property
    def lam(self) -> float:
        """Half log-SNR log(a/s); infinite at either end."""
        if self.s == 0:
            return math.inf
        return math.log(self.a / self.s) if self.a > 0 else -math.inf

    @property
    def s_flow(self) -> float:
        """The same level as a flow's: x/(a+s) = (1 - s_flow)*x0 + s_flow*eps."""
        return self.s / (self.a + self.s)


class Pred:
    """One prediction, viewed in whichever space a method works; each view is computed when first read.

    kind, raw: what the network's output means, and the output, [B, C, H, W].
    x, at: what it was fed.
    Views have x's shape, in float32 or better. `eps` and `v` of a "sample" need at.s > 0.
    """

    def __init__(self, kind: Parameterisation, raw: Tensor, x: Tensor, at: NoisePoint) -> None:
        self.kind: Parameterisation = kind
        self.raw = raw
        self.x = x
        self.at = at

    @cached_property
    def x0(self) -> Tensor:
        """The data."""
        return to_x0(self.kind, self.raw, self.x, self.at.a, self.at.s)

    @cached_property
    def eps(self) -> Tensor:
        """The noise."""
        return to_eps(self.kind, self.raw, self.x, self.at.a, self.at.s)

    @cached_property
    def v(self) -> Tensor:
        """v = a*eps - s*x0."""
        return self.at.a * self.eps - self.at.s * self.x0

    @cached_property
    def u(self) -> Tensor:
        """The flow's velocity u = eps - x0, large t being noise."""
        return self.eps - self.x0

    def raw_of(self, x0: Tensor) -> Tensor:
        """Give the raw output that would have predicted `x0` here. at.s > 0, unless the kind is "sample"."""
        return from_x0(self.kind, x0, self.x, self.at.a, self.at.s)


class Preds(Mapping[str, Pred]):
    """The answers of one round, by name: `preds.cond.x0` or `preds["cond"].x0`."""

    def __init__(self, answers: Mapping[str, Pred]) -> None:
        self._answers = dict(answers)

    def __getitem__(self, name: str) -> Pred:
        return self._answers[name]

    def __getattr__(self, name: str) -> Pred:
        if name.startswith("_") or name not in self._answers:
            raise AttributeError(f"no prediction named {name!r}")
        return self._answers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)
