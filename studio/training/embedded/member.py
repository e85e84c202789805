"""How one model of the family is made, in plain values: known to those too that must not load torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.training.embedded.exclusion import Exclusion

ABOUT = "member.json"  # in its model folder, and beside its checkpoints
TEXT_STEPS = 990  # as many as Stencil's own text encoder had before its denoiser


@dataclass(frozen=True)
class Member:
    """One model of the family.

    samples: what its denoiser trains for.
    seed: of first weights, of the order of captions, of rows and of noise.
    without: what it never meets; None for a base.
    shards: of scenes.
    batch: of the denoiser.
    lr: of the denoiser.
    align: weight of the scene alignment loss.
    text_steps: what its text encoder trains for before the denoiser.
    """

    samples: int
    seed: int = 0
    without: Exclusion | None = None
    shards: int = 8
    batch: int = 32
    lr: float = 1e-3
    align: float = 0.1
    text_steps: int = TEXT_STEPS

    def __post_init__(self) -> None:
        """Raise BadInput for a budget of nothing."""
        for name in ("samples", "shards", "batch"):
            if getattr(self, name) < 1:
                raise BadInput(f"--{name} must be 1 or more, not {getattr(self, name)}.", field=name)
        if self.seed < 0:
            raise BadInput(f"--seed must be 0 or more, not {self.seed}.", field="seed")

    @property
    def data(self) -> str:
        """Names what it is shown."""
        return f"without-{self.without.kind}-{self.without.name}" if self.without else "all"

    @property
    def name(self) -> str:
        return f"{self.data}-seed-{self.seed}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "without": str(self.without) if self.without else None}
