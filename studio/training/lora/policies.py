"""What a training goes by on its way: how its learning rate goes, what is held out, what is drawn of that, and which
parameter of its loss it finds by itself. Plain values, parts of a plan (studio.training.lora.plan).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from studio.training.evaluate.protocol import Protocol

MAX_STEPS = 1_000_000


class Values(BaseModel):
    """Base of a plan's parts: frozen, without unknown fields, all numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SchedulePlan(Values):
    """How the learning rate goes: up in a straight line, then down in another."""

    warmup: float = Field(default=0.0, ge=0, lt=1, description="share of the steps in which it rises from nothing")
    decay: float = Field(default=1.0, ge=0, le=1, description="what is left of it at the last step")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="of AdamW: decay of the squares")

    def factor(self, step: int, steps: int) -> float:
        """Of the learning rate in step 1 to `steps`."""
        rising = self.warmup * steps
        if step < rising:
            return step / rising
        return 1 - (1 - self.decay) * (step - rising) / max(1.0, steps - rising)


class HeldOutPlan(Values):
    """Rows that nothing is learned from: the loss is tried on them, with the same noise and times at every look."""

    rows: int = Field(ge=1, le=10_000, description="how many of the last rows of the prompts")
    every: int = Field(ge=1, le=MAX_STEPS, description="steps between two looks")
    draws: int = Field(default=2, ge=1, le=64, description="noises and times for each row")
    stop_rise: float | None = Field(
        default=None, gt=0, le=10, description="rise of the winners' error, as a share, that ends the training"
    )


class JudgedPlan(Values):
    """Pictures of prompts that nothing is learned from, drawn on the way and beside the base's at the same seeds.

    A model of the taste that the rows have says how many would be preferred; the world's oracle, which are broken. What
    is kept in the end is the state, at the strength, that is preferred most among those within the bounds.
    """

    prompts: tuple[str, ...] = Field(min_length=1, max_length=64, description="each drawn at every seed")
    seeds: int = Field(default=3, ge=1, le=16, description="pictures of each prompt")
    first_seed: int = Field(default=0, ge=0, le=2**63 - 1, description="of the first picture; the others have the next")
    every: int = Field(ge=1, le=MAX_STEPS, description="steps between two looks")
    protocol: Protocol = Field(default_factory=Protocol, description="how they are drawn")
    features: str = Field(default="tones", max_length=40, description="by name: what the taste is learned on")
    in_world: bool = Field(default=False, description="whether the oracle can read them")
    more_broken: float = Field(default=0.05, ge=0, le=1, description="rise of the broken share that is kept at most")
    stop_broken: float = Field(default=0.2, gt=0, le=1, description="rise of the broken share that ends the training")
    least_diversity: float = Field(default=0.8, ge=0, le=2, description="of the base's, that is kept at least")
    stop_diversity: float = Field(default=0.6, ge=0, lt=2, description="of the base's, below which the training ends")
    strengths: tuple[float, ...] = Field(
        default=(0.5, 0.7), max_length=8, description="tried in the end of what is preferred most, beside 1"
    )
    stops: bool = Field(default=True, description="whether what is seen may end the training")


class AutoPlan(Values):
    """A parameter of the loss that a training finds: first from how wrong the base is, then from the margin.

    It begins at `scale` over the base's error, which is of one size whatever space errors are taken in. Where the loss
    is content and the pictures are as they were, it is taken back, once in a step of the optimiser.
    """

    param: str = Field(default="beta", max_length=40, description="its name")
    scale: float = Field(gt=0, le=1e9, description="of the first value: it is this over the error")
    error: str = Field(default="winner error of the base", max_length=80, description="the measure that it goes by")
    margin: str = Field(default="margin", max_length=80, description="the measure of which half, times it, is log odds")
    content: float = Field(default=1.0, gt=0, le=100, description="log odds at which the loss is content")
    change: float = Field(default=4.0, ge=0, le=255, description="of pictures, in levels of 255, that is enough")
    draws: int = Field(default=16, ge=1, le=1024, description="rows that the base's error is measured on")
