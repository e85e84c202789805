"""The plan of a training: everything its bits depend on besides the model, as plain values."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Literal

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import EditRef
from studio.engine.edits.manifest import MAX_RANK
from studio.training.evaluate.cases import Case
from studio.training.evaluate.protocol import Protocol
from studio.training.lora.policies import MAX_STEPS, AutoPlan, HeldOutPlan, JudgedPlan, SchedulePlan
from studio.training.lora.policies import Values as _Values

# Values that a plan may have had no name for.
_LATER = ("beneath", "looks", "schedule", "numbers", "held_out", "caption_dropout", "judged", "auto")
_IMAGE = re.compile(r"[0-9a-f]{64}")
Group = Literal[
    "xattn_kv", "xattn", "noxattn", "attn", "ffn", "conv", "linear", "all"
]  # as ModelBundle.edit_targets has them


class Ways(_Values):
    """How the base is walked from noise to picture, for states of the network (x_t, t): every place of every way.

    As arXiv:2303.07345 without drawing anew each time.
    """

    ways: int = Field(default=4, ge=1, le=1024, description="seeds for each row of the prompts")
    steps: int = Field(default=20, ge=1, le=1000, description="steps of each way")
    guidance_scale: float = Field(default=1.5, ge=0, le=30, description="classifier-free guidance on the way")


class BankPlan(Ways):
    """Where noisy latents come from: the base's own ways under a column of the prompts."""

    condition: str = Field(description="column of the prompts the pictures are drawn with")
    renoised: bool = Field(
        default=False, description="keep the ways' ends alone, and put noise on them anew: then it is known"
    )


class PoolPlan(_Values):
    """Where noisy latents come from: ways that the model walks while it learns, one for each row of the batch.

    Each step of the training takes every way one step on, with what the student has just predicted (own path). What it
    learns at is where it will be when pictures are drawn with it, which the base's own ways are not.
    """

    condition: str = Field(description="column of the prompts the ways are walked under")
    steps: int = Field(default=12, ge=1, le=1000, description="of each way")
    guidance_scale: float = Field(default=1.5, ge=0, le=30, description="classifier-free guidance on the way")


class PicturesPlan(_Values):
    """Where noisy latents come from: stored pictures with noise on them, x_t = a_t x0 + s_t e, t drawn evenly.

    A picture's partners are further states of its row: the same noise is on them, at the same time.
    """

    images: tuple[tuple[str, ...], ...] = Field(min_length=1, description="for each row of the prompts its pictures")
    partners: dict[str, tuple[tuple[str, ...], ...]] = Field(
        default_factory=dict, description="of a further state, for each row as many pictures, in the same order"
    )
    first: float = Field(default=0.0, ge=0, le=1, description="earliest time, as a share of the schedule's; 0 is data")
    last: float = Field(default=1.0, ge=0, le=1, description="latest time; 1 is noise")

    @property
    def names(self) -> tuple[str, ...]:
        """Every picture once, in the order of the rows, those of further states after the others."""
        sides = (self.images, *self.partners.values())
        return tuple(dict.fromkeys(image for rows in sides for row in rows for image in row))


class Retention(_Values):
    """What the edit is to leave as it is: the base's predictions for other prompts, at states of its own ways."""

    prompts: tuple[str, ...] = Field(min_length=1, max_length=10_000, description="that must stay; empty is no prompt")
    how: Literal["distil", "pcgrad", "dual"] = Field(default="distil", description="see training/lora/retention.py")
    weight: float = Field(default=1.0, gt=0, le=1e6, description="of the term, for distil and pcgrad")
    budget: float = Field(default=0.02, gt=0, le=1e6, description="drift allowed in nats for each picture, for dual")
    batch: int = Field(default=4, ge=1, le=1024, description="rows of a step")
    bank: Ways = Field(default_factory=Ways, description="how the base's ways are walked")


class LooksPlan(_Values):
    """Pictures that are drawn with what has been learned so far, and read by the world's oracle.

    What they show is a curve. Where, at two looks in a row, they show what was expected as often as the base's own
    pictures of other prompts do at the same seeds, more steps have nothing to gain: the training is over.
    """

    name: str = Field(max_length=40, description="of the curve: what is looked for")
    every: int = Field(
        ge=1, le=MAX_STEPS, description="steps between two looks; half of them before one that settles it"
    )
    cases: tuple[dict[str, Any], ...] = Field(
        min_length=1, max_length=200, description="what is drawn, and what is expected of it (Case.plain)"
    )
    ceiling: tuple[dict[str, Any], ...] = Field(
        min_length=1, max_length=200, description="likewise by the base: the most there could be"
    )
    protocol: Protocol = Field(default_factory=Protocol, description="how they are drawn")
    stops: bool = Field(default=True, description="whether the training is over at the ceiling")

    def check(self) -> None:
        """Raise BadInput for a case that expects nothing, or looks that cannot be held against the base's."""
        if any(Case.load(values).expectation is None for values in (*self.cases, *self.ceiling)):
            raise BadInput("Of every picture that is looked at, something has to be expected.", field="looks")
        if len(self.ceiling) != len(self.cases):
            raise BadInput("Every picture that is looked at needs one of the base beside it.", field="looks")


class Plan(_Values):
    """A training of one edit. Its noisy latents come from bank, pool or pictures, exactly one of them."""

    name: str = Field(max_length=80, description="of the edit it ends with")
    model: str = Field(description="which model learns")
    loss: str = Field(description="name of the loss")
    loss_params: dict[str, Any] = Field(default_factory=dict, description="parameters of the loss")
    prompts: tuple[dict[str, str], ...] = Field(min_length=1, max_length=10_000, description="rows of column -> prompt")
    bank: BankPlan | None = Field(
        default=None, description="noisy latents from the base's ways; this, pool or pictures"
    )
    pool: PoolPlan | None = Field(default=None, description="noisy latents from ways the student walks")
    pictures: PicturesPlan | None = Field(default=None, description="noisy latents from stored pictures")
    retention: Retention | None = Field(default=None, description="what must stay as it is")
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
    beneath: tuple[EditRef, ...] = Field(
        default=(), max_length=16, description="edits in force beneath what learns, in every evaluation"
    )
    looks: LooksPlan | None = Field(default=None, description="what is drawn and read on the way; null is nothing")
    schedule: SchedulePlan | None = Field(default=None, description="of the learning rate; null is constant")
    numbers: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="what the loss is told of the rows besides: name -> one for each row"
    )
    held_out: HeldOutPlan | None = Field(default=None, description="what the loss is only tried on")
    caption_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of rows learned from without their prompts, on all sides of a row"
    )
    judged: JudgedPlan | None = Field(default=None, description="what is drawn and held against the base's on the way")
    auto: AutoPlan | None = Field(default=None, description="which parameter of the loss is found, not said")
    provenance: dict[str, Any] = Field(default_factory=dict, description="what the edit says of its origin besides")

    @classmethod
    def load(cls, values: dict[str, Any]) -> Plan:
        """Check plain values. Raises BadInput naming the first field that is wrong."""
        plan = load(cls, values, "training")
        if sum(source is not None for source in (plan.bank, plan.pool, plan.pictures)) != 1:
            raise BadInput("A training takes its states from a bank, from a pool or from pictures.", field="bank")
        if walked := plan.bank or plan.pool:
            plan.check_columns({walked.condition})
        if plan.pictures is not None:
            plan.check_pictures(plan.pictures)
        if plan.looks is not None:
            plan.looks.check()
        plan.check_rows()
        return plan

    def check_pictures(self, pictures: PicturesPlan) -> None:
        """Raise BadInput where not every row of the prompts has pictures, or no time is left for them."""
        if len(pictures.images) != len(self.prompts) or not all(pictures.images):
            raise BadInput("Every row of the prompts needs a picture of its own.", field="pictures")
        counts = [len(row) for row in pictures.images]
        if any([len(row) for row in rows] != counts for rows in pictures.partners.values()):
            raise BadInput("Every picture needs a partner of its own.", field="pictures")
        if wrong := next((image for image in pictures.names if not _IMAGE.fullmatch(image)), None):
            raise BadInput(f"A picture is named by the sha256 of its file, not {wrong[:60]!r}.", field="pictures")
        if pictures.first > pictures.last:
            raise BadInput("The earliest time of the pictures' noise must not be after the latest.", field="pictures")

    def check_rows(self) -> None:
        """Raise BadInput for numbers that are not one for each row, or rows held out of which none is left."""
        for name, values in self.numbers.items():
            if len(values) != len(self.prompts):
                raise BadInput(
                    f"There are {len(values)} numbers {name[:40]!r} for {len(self.prompts)} rows.", field="numbers"
                )
        if (self.judged is not None or self.auto is not None) and self.pictures is None:
            raise BadInput("What is preferred can be told of a training from pictures alone.", field="judged")
        if self.held_out is None:
            return
        if self.pictures is None:
            raise BadInput("Rows are held out of a training from pictures alone.", field="held_out")
        if self.held_out.rows >= len(self.prompts):
            raise BadInput("Something has to be learned from: not every row can be held out.", field="held_out")

    @property
    def learned_rows(self) -> int:
        """How many of the rows, the first, are learned from."""
        return len(self.prompts) - (self.held_out.rows if self.held_out is not None else 0)

    def check_columns(self, columns: set[str]) -> None:
        """Raise BadInput for a row of the prompts that has nothing in one of these columns."""
        for number, row in enumerate(self.prompts, 1):
            if lacking := sorted(columns - row.keys()):
                raise BadInput(f"Row {number} of the prompts has no {lacking[0]!r}.", field="prompts")

    def plain(self) -> dict[str, Any]:
        """All its values; without those that say nothing and that plans of earlier versions had not."""
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if name not in _LATER or value}

    @property
    def digest(self) -> str:
        """Of all its values, in whatever order they came: two plans with one digest are one work."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()
