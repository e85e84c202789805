"""What an objective of preference is, for whoever chooses one: a file in studio/training/align/objectives. No torch.

OBJECTIVES.register("dpo")(
    Objective(name="Diffusion-DPO", about="...", source="arXiv:2311.12908", loss="dpo", takes="pairs")
)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.core.registry import Registry

# What a row of each is: a winner and a loser; the same, or two equal pictures; a pair and how sure it is; a liked
# picture and a disliked one, each of a prompt of its own; a picture that was preferred; a list, the best first.
Takes = Literal["pairs", "pairs and ties", "sure pairs", "thumbs", "winners", "lists"]

# Of Stencil's errors, .13 of preferred pictures, this is the beta of 100 at which pictures change (docs/design/0031).
AUTO_BETA = 13.0


@dataclass(frozen=True)
class Pace:
    """How a training goes where its plan does not say.

    steps: of the optimiser.
    lr: learning rate.
    params: of the loss, where they are not its own.
    first: earliest time that is learned at, as a share of the schedule's; 0 is data.
    """

    steps: int
    lr: float
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    first: float = 0.0


@dataclass(frozen=True)
class Objective:
    """One way to learn from labels.

    name: what the field calls it.
    about: what it is for, in a sentence.
    source: the paper.
    loss: by name (studio.services.sources.LOSSES).
    takes: which labels.
    in_world: its pace on Stencil, as tried there.
    elsewhere: on any other model, as its authors set it.
    caveat: a sentence to read before it is chosen, "" for none.
    auto_beta: what beta is over the base's error where it is found (studio.training.lora.policies.AutoPlan); 0 of one
        whose beta is not held against the base, or that has none.
    """

    name: str
    about: str
    source: str
    loss: str
    takes: Takes
    in_world: Pace
    elsewhere: Pace
    caveat: str = ""
    auto_beta: float = AUTO_BETA


OBJECTIVES: Registry[Objective] = Registry("objective of preference")
