"""What a claim is: arms that draw the same prompts and seeds, and conditions on how their measures differ.

CLAIMS.register("apg")(Claim(...))          in studio/evidence/claims, a file per family
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.core.registry import Registry

# Of network work per picture: 12 steps of two rows. At scales up to 3, more change Stencil's readings by less than two
# points (docs/design/0009-claims-with-a-margin.md).
ROWS = 24
# What would matter: two pictures in a hundred; of the tones a fiftieth of what the model alone has.
MARGIN = 0.02
MARGINS: Mapping[str, float] = {"saturation": 0.006, "contrast": 0.003, "clipped": 0.0025}
Verdict = Literal["holds", "does not hold", "inconclusive"]
Want = Literal["higher", "lower", "no lower", "no higher"]


@dataclass(frozen=True)
class Arm:
    """One way to draw the prompts.

    rows: network rows a picture may cost; the steps are the most that fit.
    steps: a fixed number of steps instead.
    negative: none; "field": what the suite has for it as negative prompt; "composed": that subtracted from the prompt,
    AND with weight -1, as Composable Diffusion does.
    """

    guidance: GuidanceSpec
    rows: int = ROWS
    steps: int | None = None
    sampler: str = "dpmpp_2m"
    negative: Literal["none", "field", "composed"] = "none"


@dataclass(frozen=True)
class Condition:
    """What has to be true of arm minus against in a measure (studio.training.evaluate.measures), in the measure's unit.

    want: a gain, "higher" or "lower", or no loss, "no lower" or "no higher".
    margin: the smallest difference that would matter, above 0; a gain that is certainly less does not hold, a loss that
    is certainly less is none. None: that of the measure.
    """

    measure: str
    arm: str
    against: str
    want: Want
    margin: float | None = None

    @property
    def matters(self) -> float:
        """The smallest difference that would matter."""
        return MARGINS.get(self.measure, MARGIN) if self.margin is None else self.margin


@dataclass(frozen=True)
class Claim:
    """A paper's claim as an experiment.

    method: name of the guidance method or wrapper.
    sentence: the claim in our words.
    source: of the claim.
    chosen: how scales and settings were chosen, before any picture was looked at.
    arms: label -> Arm.
    conditions: all must hold.
    suite: which prompts (studio.training.evaluate.suites.claims).
    remarks: verdict -> what we make of it, shown beside that verdict.
    """

    method: str
    sentence: str
    source: str
    chosen: str
    arms: Mapping[str, Arm]
    conditions: tuple[Condition, ...]
    suite: Literal["full", "open", "negative"] = "full"
    remarks: Mapping[Verdict, str] = field(default_factory=dict[Verdict, str])


CLAIMS: Registry[Claim] = Registry("claim")


def guided(method: str, *wrappers: WrapperSpec, **params: float | int | bool | str) -> GuidanceSpec:
    """A method by name with its parameters; those left out take the method's defaults."""
    return GuidanceSpec(method=method, params=params, wrappers=wrappers)


def cfg(guidance_scale: float, *, rows: int = ROWS, steps: int | None = None, sampler: str = "dpmpp_2m") -> Arm:
    """The arm most claims compare with: classifier-free guidance; at scale 1 the conditional prediction alone."""
    return Arm(guided("cfg", guidance_scale=guidance_scale), rows, steps, sampler)
