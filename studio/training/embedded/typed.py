"""The gates of what people type first: an object and little else, each object in turn, and their own wordings.

A picture the oracle calls invalid is broken whatever was asked for; for an open prompt ("a star") nothing else can be
wrong with it but the object. Seeds are the same in every evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from studio.models.bundle import ModelBundle
from studio.training.embedded.evaluate import Reader, Row, draw, share_row
from studio.training.embedded.phrasings import PHRASINGS
from studio.world.caption import canonical
from studio.world.reading import Reading, Wanted
from studio.world.scene import BACKGROUND_NAMES, OBJECTS, STYLE_NAMES, random_scene

MOST_INVALID_OPEN, MOST_INVALID_EACH, LEAST_PHRASINGS = 0.10, 0.08, 0.85
FIRST_SEED = 70_000
BACKGROUND_PHRASES = {"meadow": "in a meadow", "sunset": "at sunset", "night": "at night"}
Progress = Callable[[int, int], None]


def _with_article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def open_prompts(n: int) -> dict[str, list[tuple[str, Wanted]]]:
    """kind -> n (prompt, what it states): an object alone, on a background, in a style; every object as often."""
    cells: dict[str, list[tuple[str, Wanted]]] = {
        "object alone": [(_with_article(name), Wanted(((name, None),), count=1)) for name in OBJECTS]
    }
    cells["with background"] = [
        (f"{_with_article(name)} {BACKGROUND_PHRASES.get(value, f'on a {value} background')}",
         Wanted(((name, None),), background=value, count=1))
        for name, value in _crossed(BACKGROUND_NAMES)
    ]  # fmt: skip
    cells["with style"] = [
        (_with_article(f"{value} {name}"), Wanted(((name, None),), style=value, count=1))
        for name, value in _crossed(STYLE_NAMES)
    ]
    return {kind: [each[i % len(each)] for i in range(n)] for kind, each in cells.items()}


def _crossed(values: Sequence[str]) -> list[tuple[str, str]]:
    """Every object with every value, in an order whose beginning already meets all of both evenly."""
    count = len(OBJECTS)
    return [(OBJECTS[i % count], values[(i + i // count) % len(values)]) for i in range(count * len(values))]


def full_prompts(n: int) -> dict[str, list[str]]:
    """object -> n canonical captions of held-out scenes with that object alone, everything said, none twice."""
    rng = np.random.default_rng((63, 0))
    prompts: dict[str, dict[str, None]] = {name: {} for name in OBJECTS}
    while any(len(each) < n for each in prompts.values()):
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        of_object = prompts[scene.things[0].object]
        if len(of_object) < n:
            of_object[canonical(scene)] = None
    return {name: list(each) for name, each in prompts.items()}


def is_right(reading: Reading, wanted: Wanted) -> bool:
    """Whether a picture is valid and shows everything that was stated."""
    return not reading.invalid and all(reading.matches(wanted).values())


def rows(bundle: ModelBundle, oracle: Reader, *, open_n: int = 300, each_n: int = 60, seeds: int = 4,
         guidance_scale: float | None = None, steps: int = 20,
         progress: Progress = lambda done, total: None) -> list[Row]:  # fmt: skip
    """Draw, read and count; one row a gate, besides a row of what was right.

    open_n: pictures of each kind of open prompt; each_n: of each object on full prompts; seeds: of each phrasing. 0
    leaves a group out. guidance_scale: None for the model's default.
    """
    total, done = 3 * open_n + len(OBJECTS) * each_n + len(PHRASINGS) * seeds, 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    def readings_of(prompts: Sequence[str], first_seed: int) -> list[Reading]:
        scale = {} if guidance_scale is None else {"guidance_scale": guidance_scale}
        numbers = range(first_seed, first_seed + len(prompts))
        return oracle.read(draw(bundle, prompts, numbers, steps=steps, on_picture=count, **scale))

    measured: list[Row] = []
    if open_n:
        for i, (kind, cells) in enumerate(open_prompts(open_n).items()):
            readings = readings_of([prompt for prompt, _ in cells], FIRST_SEED + 1_000 * i)
            broken = [reading.invalid for reading in readings]
            measured.append(share_row("open prompts", f"{kind}: invalid", broken, MOST_INVALID_OPEN, at_most=True))
            right = [is_right(reading, wanted) for reading, (_, wanted) in zip(readings, cells, strict=True)]
            measured.append(share_row("open prompts", f"{kind}: as stated", right))
    if each_n:
        for i, (name, prompts) in enumerate(full_prompts(each_n).items()):
            broken = [reading.invalid for reading in readings_of(prompts, FIRST_SEED + 5_000 + 100 * i)]
            measured.append(share_row("full prompts", f"{name}: invalid", broken, MOST_INVALID_EACH, at_most=True))
    if seeds:
        cells = [cell for cell, _ in product(PHRASINGS, range(seeds))]
        readings = readings_of([prompt for prompt, _ in cells], FIRST_SEED + 8_000)
        right = [is_right(reading, wanted) for reading, (_, wanted) in zip(readings, cells, strict=True)]
        measured.append(share_row("own wordings", "read right", right, LEAST_PHRASINGS))
    return measured
