"""Recipes of every sort, drawn from a seeded generator: whatever the page can be set to, in small."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from studio.core.params import ParamSpec, specs
from studio.core.recipe import Recipe
from studio.diffusion.grid import GRIDS
from studio.diffusion.solvers import SOLVERS
from studio.guidance import GUIDANCE
from studio.guidance.wrapper import WRAPPERS
from tests.tiny_model import SIZE_PX

SPACINGS = ("auto", *(name for name in GRIDS.names() if not name.startswith("flow")))  # those are for other models
SYNTAXES = ("a1111", "compel", "plain")
SIDES_PX = (32, 40, 48, 64)
THINGS = ("a red star", "a blue square on white", "star", "a zebra, blue", "red square on a white background")


def draw_recipe(
    chance: random.Random, number: int, model: str, methods: Sequence[str], edits: Sequence[str], most_steps: int
) -> Recipe:
    """The recipe of this number: samplers, spacings, methods and syntaxes take turns, all else is drawn.

    methods: of guidance, that the model has what they need for. edits: those of the workspace that fit the model; every
    second recipe has some of them.
    """
    # These lists are of different lengths, so that over time everything meets everything.
    sampler = SOLVERS.names()[number % len(SOLVERS.names())]
    spacing = SPACINGS[number % len(SPACINGS)]
    method = methods[number % len(methods)]
    syntax = SYNTAXES[number % len(SYNTAXES)]
    stack = chance.sample(list(edits), chance.randint(1, len(edits))) if edits and number % 2 else []
    return Recipe.load(
        {
            "model": model,
            "prompt": prompt(chance, syntax),
            "negative_prompt": chance.choice(("", prompt(chance, syntax))),
            "more_negatives": [
                {"prompt": prompt(chance, syntax), "weight": round(chance.uniform(0, 2), 2)}
                for _ in range(chance.choice((0, 0, 1, 2)))
            ],
            "syntax": syntax,
            "seed": chance.choice((0, 7, 2**32 - 1, 2**64 - 1, chance.getrandbits(64))),
            "variation_seed": chance.choice((None, chance.getrandbits(64))),
            "variation_strength": chance.choice((0.0, 1.0, chance.random())),
            "width": chance.choice(SIDES_PX),
            "height": chance.choice(SIDES_PX),
            "steps": chance.randint(1, most_steps),
            "sampler": sampler,
            "sampler_params": some(chance, SOLVERS.get(sampler)),
            "spacing": spacing,
            "guidance": {"method": method, "params": some(chance, GUIDANCE.get(method))},
            "edits": [{"edit": edit, "strength": round(chance.uniform(-1, 1.5), 2)} for edit in stack],
            "batching": "isolated",
        }
    )


def draw_wrappers(chance: random.Random, method: str, deep: bool = True) -> list[dict[str, Any]]:
    """None to three of them; a sum adds any method, with wrappers of its own."""
    found: list[dict[str, Any]] = []
    for name in chance.choices(WRAPPERS.names(), k=chance.choice((0, 1, 1, 2, 3))):
        params = some(chance, WRAPPERS.get(name))
        params.pop("added", None)
        if name == "schedule":
            numbers = [spec for spec in GUIDANCE.get(method).neutral if spec != "iterations"]
            params = {"parameter": chance.choice(numbers), "first": 0.0, "last": 1.0}
            params["curve"] = chance.choice(("constant", "linear", "cosine", "points"))
        if name == "sum":
            other = chance.choice(GUIDANCE.names())
            inside = draw_wrappers(chance, other, deep=False) if deep else []
            spec = {"method": other, "params": some(chance, GUIDANCE.get(other)), "wrappers": inside}
            found.append({"wrapper": name, "params": params, "added": spec})
        else:
            found.append({"wrapper": name, "params": params})
    return found


def draw_guided(chance: random.Random, number: int, methods: Sequence[str]) -> Recipe:
    """A recipe as `draw_recipe` gives it, small, with wrappers, negatives that share words, and windows."""
    plain = draw_recipe(chance, number, "stencil", methods, [], 9)
    values = plain.model_dump(mode="json") | {"width": SIZE_PX, "height": SIZE_PX, "batching": "isolated"}
    values["guidance"]["wrappers"] = draw_wrappers(chance, plain.guidance.method)
    for negative in values["more_negatives"]:
        if chance.random() < 0.5:
            start, stop = sorted((round(chance.random(), 2), round(chance.random(), 2)))
            negative.update(start=start, stop=stop)
    if chance.random() < 0.3:
        values["negative_prompt"] = chance.choice((plain.prompt, prompt(chance, plain.syntax)))
    return Recipe.load(values)


def prompt(chance: random.Random, syntax: str) -> str:
    """Words, in what a syntax makes of them."""
    one, two = chance.sample(THINGS, 2)
    weight = round(chance.uniform(0.3, 1.8), 2)
    written: dict[str, Sequence[str]] = {
        "a1111": (
            f"({one}:{weight}), {two}",
            f"[{one}:{two}:0.5]",
            f"[{one}|{two}]",
            f"{one} AND {two} :{weight}",
            f"{one} BREAK {two}",
            one,
        ),
        "compel": (
            f"{one}++ {two}-",
            f"({one}){weight}, {two}",
            f'("{one}", "{two}").blend({weight}, 0.4)',
            f'("{one}", "{two}").and()',
            one,
        ),
        "plain": (f"({one}:{weight})", two, ""),
    }
    return chance.choice(written[syntax])


def some(chance: random.Random, declared: type[BaseModel]) -> dict[str, Any]:
    """Values for about half of the parameters; the rest take their defaults."""
    return {spec.name: value(chance, spec) for spec in specs(declared) if chance.random() < 0.5}


def value(chance: random.Random, spec: ParamSpec) -> Any:
    low, high = spec.low or 0, 10 if spec.high is None else spec.high
    kinds: dict[str, Callable[[], Any]] = {
        "text": lambda: spec.default,
        "bool": lambda: chance.random() < 0.5,
        "choice": lambda: chance.choice(spec.choices or ()),
        "int": lambda: chance.randint(int(low), int(high)),
        "float": lambda: round(chance.uniform(low, min(high, 12)), 2),
    }
    return kinds[spec.kind]()
