"""What is compared: concepts of three kinds, and ways to erase them. Fixed before any of their pictures was looked at.

The concepts are those of the ablations that the defaults were chosen by, whose prompts and seeds were others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.training.erase.concept import ConceptKind

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
    budget: of its card, where that is not the run's own.
    """

    label: str
    method: str
    about: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    substitutes: bool = True
    budget: str = ""

    def plan(self, erased: Erased, seed: int) -> dict[str, Any]:
        """Plain values of a studio.training.erase.plan.ErasePlan."""
        substitute = erased.substitute if self.substitutes else ""
        values = {**self.values, "training": {**ALL_STEPS, **self.values.get("training", {})}}
        return {
            "name": f"{erased.words}: {self.label}"[:80],
            "model": "stencil",
            "method": self.method,
            "concepts": [{"words": erased.words, "substitute": substitute}],
            "seed": seed,
            **values,
        }


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
    Arm("Concept Ablation", "ca", "Trained towards the substitute; other prompts held by distillation."),
    Arm("Concept Ablation, nothing held", "ca", "The same without retention.", {"protect": 0}),
    Arm("All but One", "abo", "Only the concept's guidance is trained; other prompts held."),
    Arm("All but One, nothing held", "abo", "The same without retention.", {"protect": 0}),
    Arm("ESD", "esd", "Away from the concept; other prompts held.", substitutes=False),
    Arm(
        "Concept Ablation, the base's ways",
        "ca",
        "Towards the substitute, at states of the base's ways.",
        {"training": {"source": "base"}},
    ),
)
QUICK_CONCEPTS = CONCEPTS[:1]
QUICK_ARMS = (replace(ARMS[0], budget=""), ARMS[1])
