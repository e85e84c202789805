"""What a method of erasing is, for whoever chooses one: a file in studio/training/erase/methods. No torch here.

METHODS.register("ca")(
    Method(title="Replace", name="Concept Ablation", about="...", source="arXiv:2303.13516", training=...)
)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import BadInput
from studio.core.registry import Registry
from studio.training.erase.concept import Concept, ConceptKind
from studio.training.erase.plan import ErasePlan


@dataclass(frozen=True)
class Learning:
    """How a method trains where the plan does not say.

    loss: by name (studio.services.sources.LOSSES).
    params: of the loss, of a plan.
    steps, lr: on a small model of Stencil's world.
    lr_elsewhere: on any other.
    rank: of the factors.
    columns: what its loss asks by -> the column of an erasure's sentences (studio.erasure.columns) that has it.
    replaces: whether, by a plan, it ends where the concept's prompts draw the substitute.
    from_pictures: it learns from the base's own pictures, with noise on them, rather than on ways to pictures.
    """

    loss: str
    params: Callable[[ErasePlan], Mapping[str, Any]]
    steps: int = 160
    lr: float = 1e-3
    lr_elsewhere: float = 1e-4
    rank: int = 8
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    replaces: Callable[[ErasePlan], bool] = lambda plan: False
    from_pictures: bool = False


@dataclass(frozen=True)
class Method:
    """One way to erase.

    title: a word for the menu.
    name: what the field calls it.
    about: what it is for, in a sentence.
    source: the paper.
    learning: how it trains; None for one in closed form.
    leaves_out: kinds of concepts that need no substitute: their words are left out, or nothing takes their place.
    refused: kind -> why it is not offered for it, as measured on Stencil.
    caveat: a sentence to read before it is chosen, "" for none.
    """

    title: str
    name: str
    about: str
    source: str
    learning: Learning | None = None
    leaves_out: frozenset[ConceptKind] = frozenset()
    refused: Mapping[ConceptKind, str] = field(default_factory=dict[ConceptKind, str])
    caveat: str = ""

    def check(self, concept: Concept) -> None:
        """Raise BadInput for a concept of a known kind that it was measured not to erase."""
        if reason := self.refused.get(concept.kind):
            raise BadInput(f"{self.title} does not erase {concept.words!r} well: {reason}", field="method")
        if concept.kind and not concept.substitute and concept.kind not in self.leaves_out:
            raise BadInput(
                f"{concept.words!r} needs a substitute: {self.title} cannot put nothing in the place of "
                f"{'an' if concept.kind == 'object' else 'a'} {concept.kind}.",
                "Say what takes its place.",
                field="concepts",
            )


METHODS: Registry[Method] = Registry("method of erasing")
