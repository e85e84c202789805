"""The plan of a concept slider, as plain values, and the training that makes it. No torch here.

A slider is an edit of which positive strengths give more of something and negative ones less. What that is, two prompts
say (studio.erasure.slider), or two sets of pictures (studio.erasure.picture_slider).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field, field_validator

from studio.core.errors import BadInput
from studio.core.params import Params, load, param
from studio.erasure.columns import LESS, MORE, NEUTRAL, TARGET
from studio.training.erase.concept import MAX_PRESERVES, Concept
from studio.training.erase.plan import TrainingOptions
from studio.training.erase.texts import sentences
from studio.world.words import vocabulary

MAX_PAIRS = 2_000
MAX_PICTURES = 1_000
ROWS = 60  # of sentences of the world, for one pair of words
SOUGHT = 20_000  # sentences that are looked through for them
AFTER = "after"  # the state of studio.erasure.picture_slider, which brings torch
RANK, STEPS, LR, LR_ELSEWHERE = 4, 160, 1e-3, 2e-4
# A field's alias is its name in the provenance of edits, those that were made before it was called otherwise here among
# them: it is written under that name, and read under both.
STORED = ConfigDict(populate_by_name=True, loc_by_alias=False)


class Pair(Params):
    """What a slider goes between.

    target: prompts it is for; "" is all of them.
    positive: the prompt at its upper end.
    negative: the one at its lower end.
    neutral: where its middle is; None is the target.
    """

    model_config = STORED

    target: str = Field(default="", max_length=1000)
    positive: str = Field(alias="more", max_length=1000)
    negative: str = Field(default="", alias="less", max_length=1000)
    neutral: str | None = Field(default=None, max_length=1000)

    @field_validator("target", "positive", "negative")
    @classmethod
    def _tidy(cls, value: str) -> str:
        return " ".join(value.split())


class SliderPlan(Params):
    """What a slider is made from: pairs of prompts, or pictures of its two ends.

    name: of the edit.
    model: as in a recipe.
    in_world: whether the model speaks Stencil's language, and is asked in it.
    pairs: of prompts.
    keep: attributes that are not to change with it: each prompt is taken with every one of them in front.
    negative_images: sha256 of pictures of its lower end, in the history.
    positive_images: of its upper end; those belong together that have the same place.
    caption: the prompt that pictures are learned under.
    both_ways: whether negative strengths are taught too.
    gamma, reach: how much of the difference is there, and at which strength.
    alpha: of the factors, whose update is scaled by alpha / rank; None is the rank.
    preserves: texts that stay.
    protect: how much they weigh.
    seed: of all that is drawn.
    """

    model_config = STORED

    name: str = Field(min_length=1, max_length=80)
    model: str = Field(min_length=1)
    in_world: bool = False
    pairs: tuple[Pair, ...] = Field(default=(), max_length=MAX_PAIRS)
    keep: tuple[str, ...] = Field(default=(), max_length=50)
    negative_images: tuple[str, ...] = Field(default=(), alias="before", max_length=MAX_PICTURES)
    positive_images: tuple[str, ...] = Field(default=(), alias="after", max_length=MAX_PICTURES)
    caption: str = Field(default="", max_length=1000)
    both_ways: bool = True
    gamma: float = param(4.0, low=0.01, high=30)
    reach: float = param(1.0, low=0.05, high=10)
    alpha: float | None = Field(default=None, gt=0, le=10_000)
    preserves: tuple[str, ...] = Field(default=(), max_length=MAX_PRESERVES)
    protect: float = Field(default=1.0, ge=0, le=1000)
    training: TrainingOptions = TrainingOptions()
    seed: int = Field(default=0, ge=0, lt=2**32)


def read_slider(values: Mapping[str, Any]) -> SliderPlan:
    """Read a plan from plain values. Raises BadInput, also for what could only be a mistake."""
    plan = load(SliderPlan, values, "slider")
    lower, upper = plan.negative_images, plan.positive_images
    if bool(plan.pairs) == bool(lower or upper):
        raise BadInput(
            "A slider is made either from prompts with more and less of something, or from pictures before and after.",
            "Give one of the two.",
            field="pairs",
        )
    if len(lower) != len(upper):
        raise BadInput(
            f"There are {len(lower)} pictures before and {len(upper)} after.",
            "Give each its partner, in the same order.",
            field="after",
        )
    if image := next((image for image, partner in zip(lower, upper, strict=True) if image == partner), None):
        raise BadInput(f"The picture {image[:12]} is its own partner, which teaches nothing.", field="after")
    for pair in plan.pairs:
        if pair.positive.casefold() == pair.negative.casefold():
            raise BadInput(
                f"Both ends of the slider are {pair.positive[:60]!r}.", "Give it two prompts.", field="pairs"
            )
    return plan


def slider_training(plan: SliderPlan) -> dict[str, Any]:
    """Plain values of a studio.training.lora.plan.Plan. Raises BadInput for words no sentence of the world has."""
    options = plan.training
    return {
        "name": plan.name,
        "model": plan.model,
        **(_from_pictures(plan) if plan.negative_images else _from_prompts(plan)),
        **_retention(plan),
        "layers": options.layers,
        "rank": options.rank or RANK,
        "alpha": plan.alpha or float(options.rank or RANK),
        "steps": options.steps or STEPS,
        "batch": options.batch,
        "lr": options.lr or (LR if plan.in_world else LR_ELSEWHERE),
        "seed": plan.seed,
        "provenance": {"method": "slider", "slider": plan.model_dump(mode="json", by_alias=True)},
    }


def _from_prompts(plan: SliderPlan) -> dict[str, Any]:
    options = plan.training
    walked = {"condition": TARGET, "steps": options.way_steps, "guidance_scale": options.guidance_scale}
    return {
        "loss": "slider",
        "loss_params": {"gamma": plan.gamma, "reach": plan.reach, "both_ways": plan.both_ways},
        "prompts": [row for pair in plan.pairs for row in _rows(pair, plan)],
        **({"pool": walked} if options.source == "own" else {"bank": {**walked, "ways": 1}}),
    }


def _from_pictures(plan: SliderPlan) -> dict[str, Any]:
    return {
        "loss": "picture_slider",
        "loss_params": {"reach": plan.reach},
        "prompts": [{TARGET: plan.caption} for _ in plan.negative_images],
        "pictures": {
            "images": [[image] for image in plan.negative_images],
            "partners": {AFTER: [[image] for image in plan.positive_images]},
        },
    }


def _rows(pair: Pair, plan: SliderPlan) -> list[dict[str, str]]:
    words = set(vocabulary())
    if plan.in_world and pair.positive in words and (not pair.negative or pair.negative in words):
        return _rows_of_world(pair, plan)
    neutral = pair.target if pair.neutral is None else pair.neutral
    row = {TARGET: pair.target, NEUTRAL: neutral, MORE: pair.positive, LESS: pair.negative}
    return [{column: f"{attribute} {text}".strip() for column, text in row.items()} for attribute in plan.keep or ("",)]


def _rows_of_world(pair: Pair, plan: SliderPlan) -> list[dict[str, str]]:
    """Sentences of Stencil's world with the one word, with the other and without, all else being equal."""
    if plan.keep:
        raise BadInput(
            "Stencil's sentences vary in all else already.", "Leave the attributes to keep out.", field="keep"
        )
    concept = Concept(words=pair.positive, substitute=pair.negative)
    rows = list(islice(_said_three_ways(concept, pair, plan.seed), ROWS))
    if not rows:
        about = f" of {pair.target!r}" if pair.target else ""
        raise BadInput(f"No sentence{about} says {pair.positive!r}.", "Take another word for it.", field="pairs")
    return rows


def _said_three_ways(concept: Concept, pair: Pair, seed: int) -> Iterator[dict[str, str]]:
    target = Concept(words=pair.target) if pair.target else None
    unsaid = concept.model_copy(update={"substitute": ""})
    for text in islice(sentences(True, np.random.default_rng(seed)), SOUGHT):
        if concept.named_in(text) and (target is None or target.named_in(text)):
            neutral = unsaid.replaced_in(text)
            yield {TARGET: neutral, NEUTRAL: neutral, MORE: text, LESS: concept.replaced_in(text)}


def _retention(plan: SliderPlan) -> dict[str, Any]:
    options = plan.training
    if not plan.preserves or not plan.protect or options.retention == "none":
        return {}
    bank = {"ways": 1, "steps": options.way_steps, "guidance_scale": options.guidance_scale}
    return {
        "retention": {
            "prompts": list(plan.preserves),
            "how": options.retention,
            "weight": plan.protect,
            "budget": options.budget,
            "batch": options.batch,
            "bank": bank,
        }
    }
