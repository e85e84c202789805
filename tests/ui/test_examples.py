"""What a page shows before anything is drawn: pictures that Stencil drew, of the prompts they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.models.checksums import verify
from studio.models.loading import hash_of, open_model
from studio.storage.png import read_png
from studio.ui.components import canvas
from studio.world.examples import EXAMPLES, FIRST, SEED, STEPS, Example
from studio.world.oracle import Oracle
from studio.world.reading import Wanted
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES


def stated(prompt: str) -> Wanted:
    """What an example's words state."""
    words = prompt.split()

    def of(names: tuple[str, ...]) -> list[str]:
        return [word for word in words if word in names]

    objects, colours = of(OBJECTS), of(COLOUR_NAMES)
    pairs = tuple(zip(objects, colours or [None] * len(objects), strict=True))
    style, background = of(STYLE_NAMES), of(BACKGROUND_NAMES)
    return Wanted(pairs, next(iter(style), None), next(iter(background), None), count=len(objects))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_sample_is_what_its_prompt_asks_for(example: Example) -> None:
    record = read_png((canvas.SAMPLES / example.file_name).read_bytes())
    assert (record.recipe.prompt, record.recipe.seed, record.recipe.steps) == (example.prompt, SEED, STEPS)
    (reading,) = Oracle.load().read(np.asarray(record.image)[None])
    assert not reading.invalid and all(reading.matches(stated(example.prompt)).values()), reading


def test_samples_were_drawn_by_the_shipped_weights(stencil_dir: Path) -> None:
    shipped = hash_of(open_model(stencil_dir), verify(stencil_dir, required=True))
    for example in EXAMPLES:
        assert read_png((canvas.SAMPLES / example.file_name).read_bytes()).made_by["model_hash"] == shipped, example


def test_the_first_prompt_is_an_example() -> None:
    assert FIRST in EXAMPLES and len({example.prompt for example in EXAMPLES}) == len(EXAMPLES)
