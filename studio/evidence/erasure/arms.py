"""What is compared: concepts of three kinds, and ways to erase them. Fixed before any of their pictures was looked at.

The concepts are those of the ablations that the defaults were chosen by, whose prompts and seeds were others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.training.erase.concept import ConceptKind

STENCIL = "stencil"
FAMILY = "all-seed-0"  # the base of the family that has a member which never met a star (assets/README.md)
ALL_STEPS = {"early_stopping": False}  # every way has as many as it usually has: they are compared, and nothing else


@dataclass(frozen=True)
class Erased:
    """A concept, what takes its place, and what it is."""

    words: str
    substitute: str
    kind: ConceptKind


@dataclass(frozen=True)
class Arm:
    """One way to erase.

    label: on the page.
    method: by name (studio.training.erase.methods).
    about: what is tried with it.
    values: of the plan, beside names and concepts.
    substitutes: False: the concept's words are left out, or nothing takes its place.
    budget: of its card, where that is not the usual one.
    kinds: of concepts that it is tried on; all where none is named.
    object_seeds: with how many training seeds objects are erased; others with one.
    """

    label: str
    method: str
    about: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    substitutes: bool = True
    budget: str = "standard"
    kinds: tuple[ConceptKind, ...] = ()
    object_seeds: int = 1

    def plan(self, erased: Erased, seed: int, model: str = STENCIL) -> dict[str, Any]:
        """Plain values of a studio.training.erase.plan.ErasePlan."""
        substitute = erased.substitute if self.substitutes else ""
        further = f", of {model}" * (model != STENCIL) + f", seed {seed}" * bool(seed)
        values = {**self.values, "training": {**ALL_STEPS, **self.values.get("training", {})}}
        return {
            "name": f"{erased.words}: {self.label}{further}"[:80],
            "model": model,
            "method": self.method,
            "concepts": [{"words": erased.words, "substitute": substitute}],
            "seed": seed,
            **values,
        }


@dataclass(frozen=True)
class Trial:
    """One concept, erased in one way with one training seed, from one model."""

    erased: Erased
    arm: Arm
    seed: int = 0
    model: str = STENCIL

    @property
    def plan(self) -> dict[str, Any]:
        """Plain values of a studio.training.erase.plan.ErasePlan."""
        return self.arm.plan(self.erased, self.seed, self.model)


CONCEPTS = (
    Erased("star", "heart", "object"),
    Erased("fish", "tree", "object"),
    Erased("house", "square", "object"),
    Erased("neon", "flat", "style"),
    Erased("red", "blue", "colour"),
)
ARMS = (
    # Its card is the full one, which has what a negative prompt does without an edit: once for each concept.
    Arm("UCE", "uce", "In closed form, towards the substitute.", budget="full"),
    Arm(
        "Concept Ablation", "ca", "Trained towards the substitute; other prompts held by distillation.", object_seeds=3
    ),
    Arm("Concept Ablation, nothing held", "ca", "The same without retention.", {"protect": 0}),
    Arm("All but One", "abo", "Only the concept's guidance is trained; other prompts held.", object_seeds=3),
    Arm("All but One, nothing held", "abo", "The same without retention.", {"protect": 0}),
    Arm("ESD", "esd", "Away from the concept; other prompts held.", substitutes=False),
    Arm(
        "Concept Ablation, the base's ways",
        "ca",
        "Towards the substitute, at states of the base's ways.",
        {"training": {"source": "base"}},
    ),
    Arm("Slider", "slider", "A concept slider from pairs of texts, at the strength that draws the substitute."),
    Arm(
        "Concept Ablation, to nothing",
        "ca",
        "Towards an empty background.",
        substitutes=False,
        kinds=("object",),
    ),
)
MISSED = CONCEPTS[:1]  # by a member of the family that ships
# What the studio erases by where nothing else is asked for, on twelve concepts; `flat` is what no style means.
INSTANT = Arm("Instant, on twelve concepts", "uce", "In closed form, towards the substitute.", budget="rates")
TWELVE = (
    *CONCEPTS,
    Erased("flower", "cross", "object"),
    Erased("moon", "heart", "object"),
    Erased("triangle", "square", "object"),
    Erased("watercolor", "striped", "style"),
    Erased("dotted", "shaded", "style"),
    Erased("green", "purple", "colour"),
    Erased("yellow", "pink", "colour"),
)


def trials(arms: Sequence[Arm] = (*ARMS, INSTANT)) -> list[Trial]:
    """What is tried, in the order of what is to be known first: further training seeds come last."""
    first = [
        Trial(erased, arm)
        for erased in CONCEPTS
        for arm in arms
        if arm is not INSTANT and (not arm.kinds or erased.kind in arm.kinds)
    ]
    twelve = [Trial(erased, arm) for arm in arms if arm is INSTANT for erased in TWELVE]
    further = [
        Trial(trial.erased, trial.arm, seed)
        for trial in first
        if trial.erased.kind == "object"
        for seed in range(1, trial.arm.object_seeds)
    ]
    return [*first, *twelve, *further]


def gold_trials() -> list[Trial]:
    """What is erased from the family's base, to be held against its member that never met the concept."""
    compared = [arm for arm in ARMS if not arm.values]
    return [Trial(erased, replace(arm, object_seeds=1), model=FAMILY) for erased in MISSED for arm in compared]


def quick_trials() -> list[Trial]:
    """One concept in two ways, on the smallest cards."""
    return [Trial(CONCEPTS[0], replace(arm, budget="preview")) for arm in ARMS[:2]]
