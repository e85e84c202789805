"""How far a training is, as its files say: read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Standing:
    """How far a training is, and what it belongs to.

    plan: its digest.
    base: hash of the model it learns on.
    step: steps done.
    seconds: of work so far, over all runs.
    threads: of the arithmetic; others give other bits.
    format: of the file (studio.training.lora.checkpoints.FORMATS).
    """

    plan: str
    base: str
    step: int
    seconds: float
    threads: int
    format: int = field(default=1, compare=False)
