"""The plan of an erasure, as plain values: read and checked without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load, param
from studio.engine.edits.manifest import MAX_RANK
from studio.erasure.defaults import COMPLETENESS, PROTECT
from studio.training.erase.concept import MAX_CONCEPTS, MAX_PRESERVES, Concept
from studio.training.lora.plan import MAX_STEPS, Group

INSTANT = "uce"
MAX_NAME_CHARS = 80  # of an edit that an erasure makes


class TrainingOptions(Params):
    """Of methods that train; None is the method's own.

    layers: which layers learn.
    source: where the noisy latents come from that it learns at: the ways of the model that learns, or the base's.
    retention: how what stays is held.
    early_stopping: of methods that learn the substitute, where there is an oracle: over when it is drawn as often as
        the base draws it.
    towards: of All but One, where the concept's guidance goes.
    carrier: of ESD, the words that stay when the concept goes: "man" for the concept "man with a hat"; "" is none.
    """

    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS, description="of the optimiser")
    lr: float | None = Field(default=None, gt=0, le=10, description="learning rate")
    rank: int | None = Field(default=None, ge=1, le=MAX_RANK, description="of the factors that learn")
    layers: Group = "xattn"
    batch: int = param(4, low=1, high=1024, help="pictures of one step")
    source: Literal["own", "base"] = "own"
    way_steps: int = param(12, low=1, high=1000, help="steps from noise to picture")
    guidance_scale: float = param(1.5, low=0, high=30, help="on the way")
    retention: Literal["distil", "pcgrad", "dual", "none"] = "distil"
    budget: float = Field(default=0.02, gt=0, le=1e6, description="drift allowed, in nats a picture, for dual")
    early_stopping: bool = param(True, help="over when the substitute is drawn as often as the base draws it")
    eta: float = param(1.0, low=0, high=10, help="strength of the negative guidance")
    mu: float = param(1.0, low=0, high=100, help="weight of the unconditional prediction's drift")
    kappa: float = param(1000.0, low=0, high=1e5, help="of SPM: weight of its anchors")
    anchors: int = param(4, low=1, high=16, help="of SPM: how many for each row")
    towards: Literal["substitute", "nothing", "away"] = "substitute"
    carrier: str = Field(default="", max_length=100)


class ErasePlan(Params):
    """What an erasure is made from.

    name: of the edit.
    model: as in a recipe.
    method: by name (studio.training.erase.methods).
    in_world: whether the model speaks Stencil's language, and is asked in it.
    concepts: what is erased, together.
    preserves: texts that stay, beside those that are drawn.
    protect: how much all that stays weighs; 0 is not at all.
    completeness: of the closed form: how much of its way a concept goes.
    untouched: of the closed form: preserves are not moved at all, where their strongest directions are concerned.
    sliders: of the closed form: beside the edit, one for each concept, which add up to it.
    training: of methods that train.
    seed: of texts, and of all else that is drawn.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    model: str = Field(min_length=1)
    method: str = INSTANT
    in_world: bool = False
    concepts: tuple[Concept, ...] = Field(min_length=1, max_length=MAX_CONCEPTS)
    preserves: tuple[str, ...] = Field(default=(), max_length=MAX_PRESERVES)
    protect: float = Field(default=PROTECT, ge=0, le=1000)
    completeness: float = Field(default=COMPLETENESS, ge=0.01, le=0.999999)
    untouched: bool = False
    sliders: bool = False
    training: TrainingOptions = TrainingOptions()
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def parts(self) -> tuple[ErasePlan, ...]:
        """Of each concept the plan of its own edit; none where all are in one."""
        if not self.sliders or len(self.concepts) < 2:
            return ()
        return tuple(
            self.model_copy(
                update={
                    "name": f"{self.name}: {concept.words}"[:MAX_NAME_CHARS],
                    "concepts": (concept,),
                    "sliders": False,
                }
            )
            for concept in self.concepts
        )


def read_plan(values: Mapping[str, Any]) -> ErasePlan:
    """Read a plan from plain values. Raises BadInput, also for what could only be a mistake."""
    plan = load(ErasePlan, values, "erasure")
    for place, concept in enumerate(plan.concepts):
        concept.check()
        _check_once(concept, plan.concepts[:place])
        for neighbour in plan.concepts:
            if neighbour is not concept and neighbour.substitute and concept.named_in(neighbour.substitute):
                raise BadInput(
                    f"{concept.words!r} is erased, so it cannot take the place of {neighbour.words!r}.",
                    field="concepts",
                )
        if text := next((text for text in plan.preserves if concept.named_in(text)), None):
            raise BadInput(f"{concept.words!r} is erased, so {text[:60]!r} cannot stay.", field="preserves")
    if plan.untouched and not plan.preserves:
        raise BadInput("Nothing is named that is not to be moved.", "Name what to preserve.", field="preserves")
    return plan


def _check_once(concept: Concept, earlier: Sequence[Concept]) -> None:
    """Raise BadInput for a concept that has a word of an earlier one: it would be sent two ways."""
    for former in earlier:
        shared = {word.casefold() for word in concept.called()} & {word.casefold() for word in former.called()}
        if shared:
            also = f", as {former.words!r}" if former.words.casefold() != concept.words.casefold() else ""
            raise BadInput(f"{concept.words!r} is erased twice{also}.", "Name it once.", field="concepts")
