"""What a campaign draws, as plain values: prompts, the recipes that are compared, hidden words, attention checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load, shown
from studio.core.recipe import MAX_PROMPT_CHARS, EditRef, GuidanceSpec, Recipe
from studio.preference import prompt_list
from studio.preference.answer import Mode
from studio.preference.campaign import CHECKS_SHARE, MAX_ARMS, MAX_ITEMS, Design, Form, Prompt, TypedPrompt
from studio.services.presets import GuidancePresets
from studio.services.sources import EMBEDDED, Sources
from studio.world.open_prompts import HIDDEN_WORDS, open_prompts

# Measured on Stencil: twelve steps at this scale are whole pictures, and differ more than at a higher one.
STENCIL_STEPS, STENCIL_SCALE, STEPS = 12, 1.5, 20
MAX_HIDDEN = 200  # words of all groups
FORMS: dict[Mode, Form] = {"pair": "pair", "best": "list", "best_worst": "list", "ranking": "list", "thumb": "single"}


class Arm(Params):
    """One recipe that is compared. name: what people who run the campaign call it; no labeller reads it."""

    name: str = Field(default="", max_length=200)
    recipe: Recipe = Field(default_factory=Recipe)


class CampaignDesign(Params):
    """What a campaign draws.

    count: of items, attention checks aside.
    prompts: what is drawn; none: they are drawn from the grammar of Stencil's world, with style and colour unsaid.
    background: share of those that say a background.
    hidden_share: share of the items whose pictures are drawn with words that their prompt does not say.
    hidden_words: groups of them, of which each picture gets one; none: the styles and colours of the world.
    weigh_liked: whether words that were liked so far, in any campaign, are drawn more often.
    same_seed: whether several recipes are compared at one seed.
    checks: share of attention checks.
    seed: of all that is drawn at random; None takes one that nobody chose.
    arms: the recipes that are compared.
    """

    count: int = Field(default=30, ge=1, le=MAX_ITEMS)
    prompts: tuple[str, ...] = Field(default=(), max_length=prompt_list.MAX_PROMPTS)
    background: float = Field(default=0.5, ge=0, le=1)
    hidden_share: float = Field(default=0.0, ge=0, le=1)
    hidden_words: tuple[tuple[str, ...], ...] = Field(default=(), max_length=4)
    weigh_liked: bool = True
    same_seed: bool = True
    checks: float = Field(default=CHECKS_SHARE, ge=0, le=CHECKS_SHARE)
    seed: int | None = Field(default=None, ge=0, le=2**64 - 1)
    arms: tuple[Arm, ...] = Field(default=(Arm(),), min_length=1, max_length=MAX_ARMS)

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> CampaignDesign:
        """Build a design from untrusted values. Raises BadInput."""
        arms = values.get("arms")
        if isinstance(arms, list | tuple):  # a recipe's own sentences are better than those of a field in a field
            for arm in arms:
                if isinstance(arm, Mapping) and isinstance(recipe := arm.get("recipe"), Mapping):  # type: ignore[reportUnknownVariableType]
                    Recipe.load(recipe)  # type: ignore[reportUnknownArgumentType]
        design = load(cls, values, "campaign")
        for prompt in design.prompts:
            if not prompt.strip() or len(prompt) > MAX_PROMPT_CHARS:
                message = f"A prompt has 1 to {MAX_PROMPT_CHARS:,} characters, unlike {shown(prompt)}."
                raise BadInput(message, field="prompts")
        if sum(map(len, design.hidden_words)) > MAX_HIDDEN:
            raise BadInput(f"There are at most {MAX_HIDDEN} hidden words.", field="hidden_words")
        return design

    def recipes(self) -> list[Recipe]:
        """The recipes that are compared, each for drawing many pictures at once."""
        return [arm.recipe.model_copy(update={"batching": "shared"}) for arm in self.arms]

    def planned(self, mode: Mode, seed: int, liked: Mapping[str, float]) -> Design:
        """How its items are put together. liked: how much each hidden word was liked. Raises BadInput."""
        if FORMS[mode] == "list" and self.checks:
            return self.model_copy(update={"checks": 0.0}).planned(
                mode, seed, liked
            )  # no one answer to a list is right
        words = self.hidden_words or (() if self.prompts else HIDDEN_WORDS)
        if self.hidden_share and not words:
            message = "Prompts of your own are drawn with hidden words only where you say which."
            raise BadInput(message, "Write some, or take a share of 0.", field="hidden_words")
        return Design(
            form=FORMS[mode],
            count=self.count,
            seed=seed,
            same_seed=self.same_seed,
            checks=self.checks,
            hidden_share=self.hidden_share,
            hidden_words=words,
            liked=liked if self.weigh_liked else {},
        )

    def asked_prompts(self, seed: int, sources: Sources) -> list[Prompt]:
        """The prompts, as many as there are items at most. Raises BadInput, NotFound, AssetError."""
        if self.prompts:
            return [TypedPrompt(prompt) for prompt in self.prompts]
        for arm in self.arms:
            if not sources.is_of_world(arm.recipe.model):
                message = f"{arm.recipe.model} does not draw Stencil's world, whose grammar the prompts come from."
                raise BadInput(message, "Write prompts of your own.", field="prompts")
        return list(open_prompts(np.random.default_rng(seed), self.count, self.background))


@dataclass(frozen=True)
class Choices:
    """What somebody wants compared, by name: each with each, of models, guidance presets and stacks of edits.

    models: none: Stencil.
    presets: guidance presets; none: what suits the model.
    stacks: of edits; none: none.
    steps: of the sampler; None: what suits the model.
    """

    models: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    stacks: tuple[tuple[EditRef, ...], ...] = ()
    steps: int | None = None


def arms_of(choices: Choices, sources: Sources, presets: GuidancePresets) -> tuple[Arm, ...]:
    """Every combination as a recipe with a name. Raises NotFound, BadInput for one that is not there or too many."""
    models, stacks = choices.models or (EMBEDDED,), choices.stacks or ((),)
    count = len(models) * max(1, len(choices.presets)) * len(stacks)
    if count > MAX_ARMS:
        message = f"These are {count} recipes, and a campaign compares at most {MAX_ARMS}."
        raise BadInput(message, "Take fewer models, presets or stacks.", field="recipes")
    specs: list[tuple[str, GuidanceSpec | None]] = [
        (entry.name, entry.spec) for entry in map(presets.load, choices.presets)
    ] or [("", None)]
    arms: list[Arm] = []
    for model, (preset, spec), stack in product(models, specs, stacks):
        recipe = base_recipe(sources, model, choices.steps).model_copy(update={"edits": stack})
        if spec is not None:
            recipe = recipe.model_copy(update={"guidance": spec})
        words = [
            model if len(models) > 1 else "",
            preset if len(specs) > 1 else "",
            stack_name(stack) if len(stacks) > 1 else "",
        ]
        arms.append(Arm(name=", ".join(word for word in words if word)[:200] or model[:200], recipe=recipe))
    return tuple(arms)


def base_recipe(sources: Sources, model: str = EMBEDDED, steps: int | None = None) -> Recipe:
    """What a campaign draws with where nobody says otherwise. Raises NotFound, AssetError."""
    card = sources.card(model)
    values: dict[str, Any] = {
        "model": model,
        "steps": steps or STEPS,
        "width": card.default_size_px,
        "height": card.default_size_px,
        "sampler": card.sampler,
        "batching": "shared",
    }
    if model == EMBEDDED:
        guidance = {"method": "cfg", "params": {"guidance_scale": STENCIL_SCALE}}
        values |= {"steps": steps or STENCIL_STEPS, "guidance": guidance}
    return Recipe.load(values)


def stack_name(stack: Sequence[EditRef]) -> str:
    """A stack of edits in words."""
    return " + ".join(f"{ref.edit} at {ref.strength:g}" for ref in stack) or "no edit"
