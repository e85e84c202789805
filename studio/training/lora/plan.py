"""The plan of a training: everything its bits depend on besides the model, as plain values."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.core.errors import BadInput
from studio.core.params import load
from studio.engine.edits.manifest import MAX_RANK

MAX_STEPS = 1_000_000
Group = Literal["xattn_kv", "xattn", "attn", "ffn", "conv", "all"]  # as ModelBundle.edit_targets has them


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BankPlan(_Values):
    """Where noisy latents come from: the base's own way from noise to picture under a column of the prompts.

    Every place of every way serves as a state of the network (x_t, t), arXiv:2303.07345 without drawing anew each time.
    """

    condition: str = Field(description="column of the prompts the pictures are drawn with")
    ways: int = Field(default=4, ge=1, le=1024, description="seeds for each row of the prompts")
    steps: int = Field(default=20, ge=1, le=1000, description="steps of each way")
    guidance_scale: float = Field(default=1.5, ge=0, le=30, description="classifier-free guidance on the way")


class Plan(_Values):
    """A training of one edit."""

    name: str = Field(max_length=80, description="of the edit it ends with")
    model: str = Field(description="which model learns")
    loss: str = Field(description="name of the loss")
    loss_params: dict[str, Any] = Field(default_factory=dict, description="parameters of the loss")
    prompts: tuple[dict[str, str], ...] = Field(min_length=1, max_length=10_000, description="rows of column -> prompt")
    bank: BankPlan = Field(description="where noisy latents come from")
    layers: Group = Field(default="xattn", description="which layers learn")
    rank: int = Field(default=8, ge=1, le=MAX_RANK, description="of the factors")
    alpha: float = Field(default=8.0, gt=0, le=10_000, description="the change is scaled by alpha / rank")
    steps: int = Field(ge=1, le=MAX_STEPS, description="of the optimiser")
    batch: int = Field(default=4, ge=1, le=1024, description="rows of a step")
    lr: float = Field(default=1e-3, gt=0, le=10, description="learning rate of AdamW")
    weight_decay: float = Field(default=0.0, ge=0, le=10, description="of AdamW")
    clip: float = Field(default=1.0, gt=0, le=1e6, description="largest norm of the gradient")
    ema: float = Field(default=0.0, ge=0, lt=1, description="decay of averaged factors; 0 keeps the last")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="of factors, noise and rows")

    @classmethod
    def load(cls, values: dict[str, Any]) -> Plan:
        """Check plain values. Raises BadInput naming the first field that is wrong."""
        plan = load(cls, values, "training")
        plan.check_columns({plan.bank.condition})
        return plan

    def check_columns(self, wanted: set[str]) -> None:
        """Raise BadInput for a row of the prompts that has nothing in one of these columns."""
        for number, row in enumerate(self.prompts, 1):
            if lacking := sorted(wanted - row.keys()):
                raise BadInput(f"Row {number} of the prompts has no {lacking[0]!r}.", field="prompts")

    @property
    def digest(self) -> str:
        """Of all its values, in whatever order they came: two plans with one digest are one work."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
