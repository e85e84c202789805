"""What a campaign is set up from, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import MAX_PROMPT_CHARS, Recipe
from studio.preference.answer import MODES, QUESTIONS, Mode, Question
from studio.storage.labels.campaigns import REVEALS, Reveal

Source = Literal["drawn", "planned", "brought"]
VERSION = 1  # of what is stored of a plan
MAX_NAME_CHARS = 80
MAX_GUIDELINE_CHARS = 20_000
MAX_PROMPTS, MAX_RECIPES, MAX_SEEDS = 10_000, 16, 64
MAX_TARGET = 100
MAX_SHARE = 0.5  # of what one is given, that may be repeats or checks


@dataclass(frozen=True)
class CampaignPlan:
    """Prompts times recipes times seeds, or pictures that were brought along; and how they are asked about.

    name: unique, 1 to 80 printable letters.
    source: "drawn" by the recipes; "planned" one by one, or "brought" along: their items are added later, and there are
    neither prompts nor recipes here.
    prompts: texts, each once.
    recipes: how each prompt is drawn; their own prompt and seed do not count.
    seeds: of the pictures of each prompt and recipe.
    mode: how items are asked.
    questions: asked of each item, in this order.
    purpose: "train", or "eval" for a blind test.
    guideline: what annotators go by; "" for none.
    target_per_item: 1 to 100 answers by different people.
    overlap_share: 0 to 1 of the items are given to everybody.
    repeat_share, check_share: 0 to 0.5 of what somebody is given.
    reveal: when annotators are told what each picture was: never, after each answer, or at the end. Answers given by
    somebody who was told, or will be after each, are not blind. Never of a blind test.
    Raises BadInput, one sentence naming the field.
    """

    name: str
    source: Source = "drawn"
    prompts: tuple[str, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    seeds: tuple[int, ...] = (0,)
    mode: Mode = "pair"
    questions: tuple[Question, ...] = ("overall",)
    purpose: Literal["train", "eval"] = "train"
    guideline: str = ""
    target_per_item: int = 1
    overlap_share: float = 0.1
    repeat_share: float = 0.05
    check_share: float = 0.05
    reveal: Reveal = "never"

    def __post_init__(self) -> None:
        _check_text("A campaign's name", self.name, MAX_NAME_CHARS, "name")
        if not self.name.strip() or not self.name.isprintable():
            raise BadInput(f"A campaign needs a name that can be printed, not {shown(self.name)}.", field="name")
        _check_among("mode", self.mode, MODES)
        _check_among("source", self.source, get_args(Source))
        _check_among("purpose", self.purpose, ("train", "eval"))
        _check_each("questions", self.questions, len(QUESTIONS))
        for question in self.questions:
            _check_among("questions", question, QUESTIONS)
        if not self.questions:
            raise BadInput("A campaign asks at least one question.", field="questions")
        _check_text("A guideline", self.guideline, MAX_GUIDELINE_CHARS, "guideline")
        target: Any = self.target_per_item
        if type(target) is not int or not 1 <= target <= MAX_TARGET:
            message = f"An item needs 1 to {MAX_TARGET} answers, not {shown(target)}."
            raise BadInput(message, field="target_per_item")
        for name, most in (("overlap_share", 1.0), ("repeat_share", MAX_SHARE), ("check_share", MAX_SHARE)):
            share: Any = getattr(self, name)
            if type(share) not in (int, float) or not 0 <= share <= most:
                raise BadInput(f"In the campaign, {name} is from 0 to {most:g}, not {shown(share)}.", field=name)
        _check_among("reveal", self.reveal, REVEALS)
        if self.reveal != "never" and self.purpose == "eval":
            message = "A blind test does not tell what its pictures are."
            raise BadInput(message, "Make it a campaign to be learned from, or tell nothing.", field="reveal")
        self._check_pictures()

    def _check_pictures(self) -> None:
        if self.source != "drawn":
            if self.prompts or self.recipes:
                message = f"A campaign whose pictures are {self.source} has no prompts and no recipes of its own."
                raise BadInput(message, field="source")
            return
        if not self.prompts:
            raise BadInput("The campaign has no prompts.", "Give at least one.", field="prompts")
        if not self.recipes:
            raise BadInput("The campaign has no recipes.", "Give at least one.", field="recipes")
        _check_each("prompts", self.prompts, MAX_PROMPTS)
        _check_each("recipes", self.recipes, MAX_RECIPES)
        _check_each("seeds", self.seeds, MAX_SEEDS)
        for prompt in self.prompts:
            _check_text("A prompt", prompt, MAX_PROMPT_CHARS, "prompts")
        plain = [recipe.model_copy(update={"prompt": "", "seed": 0}) for recipe in self.recipes]
        for number, recipe in enumerate(plain):
            if recipe in plain[:number]:
                first = plain.index(recipe) + 1
                message = (
                    f"The recipes {first} and {number + 1} of the campaign are the same, and so are their pictures."
                )
                raise BadInput(message, "Take one of them out.", field="recipes")
        for seed in self.seeds:
            if type(seed) is not int or not 0 <= seed < 2**64:
                raise BadInput(f"A seed is a whole number from 0 to {2**64 - 1}, not {shown(seed)}.", field="seeds")
        needed = {"thumb": 1, "best_worst": 3}.get(self.mode, 2)
        if len(self.recipes) * len(self.seeds) < needed:
            message = f"Asked as {self.mode}, a prompt needs {needed} pictures: recipes times seeds are"
            raise BadInput(
                f"{message} {len(self.recipes) * len(self.seeds)}.", "Add a recipe or a seed.", field="seeds"
            )

    def as_json(self) -> dict[str, Any]:
        """What pictures are made from, as plain values; the rest has columns of its own."""
        return {
            "version": VERSION,
            "source": self.source,
            "prompts": list(self.prompts),
            "recipes": [recipe.model_dump(mode="json") for recipe in self.recipes],
            "seeds": list(self.seeds),
        }

    @classmethod
    def load(cls, values: Any) -> CampaignPlan:
        """Build a plan from untrusted values: a JSON object with the names of the fields. Raises BadInput."""
        if not isinstance(values, Mapping):
            raise BadInput(f"A campaign's plan is a JSON object, not {shown(values)}.")
        fields: dict[str, Any] = dict(cast("Mapping[str, Any]", values))
        if unknown := sorted(set(fields) - set(cls.__dataclass_fields__)):
            raise BadInput(f"A campaign has no {shown(unknown[0])}.", field=unknown[0])
        for name in ("prompts", "recipes", "seeds", "questions"):
            if name in fields and not isinstance(fields[name], list | tuple):
                raise BadInput(f"In the campaign, {name} is a list, not {shown(fields[name])}.", field=name)
        for name in ("prompts", "seeds", "questions"):
            if name in fields:
                fields[name] = tuple(fields[name])
        if "recipes" in fields:
            fields["recipes"] = tuple(_recipe(recipe) for recipe in fields["recipes"])
        if "name" not in fields:
            raise BadInput("A campaign has a name.", field="name")
        return cls(**fields)


def _recipe(values: Any) -> Recipe:
    if isinstance(values, Recipe):
        return values
    if not isinstance(values, Mapping):
        raise BadInput(f"A recipe is a JSON object, not {shown(values)}.", field="recipes")
    return Recipe.load(cast("Mapping[str, Any]", values))


def _check_among(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInput(f"A campaign's {name} is {', '.join(allowed)}, not {shown(value)}.", field=name)


def _check_text(subject: str, value: Any, most: int, field: str) -> None:
    fits = isinstance(value, str) and len(value) <= most and "\0" not in value
    if not fits or value.encode("utf-8", "ignore").decode() != value:
        raise BadInput(f"{subject} must be text of at most {most} characters, not {shown(value)}.", field=field)


def _check_each(name: str, values: tuple[Any, ...], most: int) -> None:
    if len(values) > most:
        raise BadInput(f"A campaign has at most {most} {name}, not {len(values)}.", field=name)
    texts = [repr(value) for value in values] if name != "recipes" else []  # equal recipes are named by their places
    if len(set(texts)) < len(texts):
        repeated = next(value for place, value in enumerate(values) if texts.index(texts[place]) < place)
        raise BadInput(f"The campaign names {shown(repeated)} twice among its {name}.", field=name)
