"""The plan of an alignment, as a user says it: plain values, checked before anything runs. No torch here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from studio.core.params import Params, load
from studio.engine.edits.manifest import MAX_RANK
from studio.training.lora.plan import MAX_STEPS, Group

MAX_PREFERENCE_ROWS = 10_000
MAX_NAME_CHARS = 80


class AlignPlan(Params):
    """An edit that draws what the labels of a snapshot prefer. What is left out takes the objective's own pace."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS, description="of the edit")
    model: str = Field(default="stencil", max_length=500, description="which model learns")
    method: str = Field(default="dpo", max_length=40, description="objective (studio.training.align.objectives)")
    snapshot: str = Field(max_length=80, description="which labels it learns from")
    params: dict[str, Any] = Field(
        default_factory=dict, description="of the loss, where they are not the objective's; beta may be auto"
    )
    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS, description="of the optimiser")
    lr: float | None = Field(default=None, gt=0, le=10, description="learning rate")
    first: float | None = Field(default=None, ge=0, le=1, description="earliest time learned at; 0 is data, 1 noise")
    layers: Group = Field(default="linear", description="which layers learn")
    rank: int = Field(default=8, ge=1, le=MAX_RANK, description="of the factors")
    batch: int = Field(default=4, ge=1, le=256, description="rows of a step: pairs, or lists")
    ema: float = Field(default=0.0, ge=0, lt=1, description="decay of averaged factors; 0 keeps the last")
    protect: float = Field(
        default=0.0, ge=0, le=1000, description="how much the base's drawing of other prompts weighs"
    )
    retention: Literal["distil", "pcgrad", "dual"] = Field(default="distil", description="how it is protected")
    stop_rise: float | None = Field(
        default=0.05, gt=0, le=10, description="rise of held-out winners' error, as a share, that ends it; null: none"
    )
    caption_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of rows learned from without prompt")
    pictures: int | None = Field(
        default=None,
        ge=0,
        le=64,
        description="of held-out prompts, drawn at each look; 0 is none, null the model's own",
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="of factors, noise and the order of rows")


def read_plan(values: Any) -> AlignPlan:
    """Check plain values. Raises BadInput naming the first field that is wrong."""
    return load(AlignPlan, dict(values), "alignment")
