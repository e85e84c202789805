"""Results of alignments made by hand: what was read in each picture, and what a training came to."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.evidence.alignment.arms import Arm
from studio.evidence.alignment.people import STYLE, Person
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts, Result
from studio.world.reading import Reading, SeenThing, Wanted

TONES = {"saturation": 0.5, "brightness": 0.6, "contrast": 0.1, "colourfulness": 0.3}


def facts(style: str = "flat", colour: str = "red", broken: float = 0.1, **tones: float) -> Facts:
    """A picture of a star. broken: the oracle's probability of it; its features are of style and colour alone."""
    things = (SeenThing("star", colour),)
    reading = Reading(things, "one", style, "white", "medium", "center", broken > 0.5, broken)
    features = np.array([1.0, style == "neon", style == "shaded", colour == "red"], dtype=np.float32)
    return Facts(f"{style}{colour}{broken}", {**TONES, **tones}, reading, features)


def results(*pictures: Facts, seeds: int = 2) -> list[Result]:
    """Of prompts with so many pictures each."""
    wanted = Wanted((("star", "red"),), "flat", "white")
    return [Result(Case(f"prompt {place // seeds}", place, wanted), picture) for place, picture in enumerate(pictures)]


def training(
    arm: Arm, seed: int, win: float, *, person: Person = STYLE, broken: float = 0.1, **changes: Any
) -> dict[str, Any]:
    """A result as a trial yields it, of four prompts that win about so much."""
    opened: dict[str, Any] = {"win": [win + step for step in (-0.05, 0.0, 0.0, 0.05)], "ceiling": [0.9] * 4}
    opened |= {"won": 6, "lost": 1, "pictures": 16, "styles": 2.0, "styles_base": 3.0}
    opened |= {"invalid": [broken] * 4, "invalid_base": [0.1] * 4}
    for name in ("diversity", "vendi", "pvs", "sdi"):
        opened |= {name: [0.45, 0.5, 0.5, 0.55], f"{name}_base": [0.5] * 4}
    values: dict[str, Any] = {
        "person": person.name,
        "arm": arm.label,
        "method": arm.method,
        "seed": seed,
        "base": "b" * 64,
        "labels": 225,
        "decided": 100,
        "ties": 125,
        "steps": 80,
        "of": 100,
        "ended": "Stopped.",
        "seconds": 40.0,
        "rise": 5.1,
        "accuracy": 0.6,
        "strength": 1.0,
        "curve": [],
        "open": opened,
        "stated": {"accuracy": [1.0, 0.75, 1.0], "accuracy_base": [1.0, 0.75, 1.0]},
        "tones": {"saturation": [0.1, 0.0, 0.2], "contrast": [0.0, -0.1, 0.1]},
        "drift": [1.0, 2.0, 3.0],
        "date": "2026-11-30",
    }
    return values | changes
