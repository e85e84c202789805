"""What stands near a concept, and whether a model draws what is to take its place: with the real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.services import neighbours
from studio.services.neighbours import ENOUGH, PICTURES, Tried
from studio.services.studio import Studio
from studio.world.words import COLOUR_WORDS, OBJECT_WORDS

STAR = {"words": "star"}


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("near")
    settings = Settings(workspace=folder, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


def test_words_of_its_kind_are_told_by_how_near_the_text_encoder_has_them(studio: Studio) -> None:
    job = neighbours.start(studio, "stencil", STAR, ["heart"])
    studio.jobs.wait(job)
    (measured,) = (event.data["values"] for event in studio.jobs.events(job) if event.kind == "measure")
    assert set(measured) == set(OBJECT_WORDS) - {"star", "heart"} and all(
        -1 <= value <= 1 for value in measured.values()
    )
    nearest = neighbours.nearest(studio, job, most=4)
    assert nearest == sorted(measured, key=lambda word: -measured[word])[:4]
    assert neighbours.candidates(studio, "stencil", {"words": "azure"}) and "blue" not in neighbours.candidates(
        studio, "stencil", {"words": "azure"}
    )
    with pytest.raises(BadInput, match="no object, style or colour"):
        neighbours.start(studio, "stencil", {"words": "zebra"})


def test_a_substitute_is_tried_on_pictures_of_the_base(studio: Studio) -> None:
    job = neighbours.try_substitute(studio, "stencil", STAR, "heart")
    studio.jobs.wait(job)
    tried = neighbours.tried(studio, job, STAR, "heart")
    assert (
        tried is not None and tried.pictures == PICTURES and tried.shown >= 20 and tried.is_good == (tried.shown >= 22)
    )
    # The same pictures, asked whether they show something else.
    none = neighbours.tried(studio, job, STAR, "fish")
    assert none is not None and none.shown <= 2 and not none.is_good
    for word in ("zebra", "red"):
        with pytest.raises(BadInput, match="is no object of Stencil"):
            neighbours.try_substitute(studio, "stencil", STAR, word)
    assert Tried(22, 24).is_good and not Tried(21, 24).is_good and ENOUGH == 0.9
    assert set(neighbours.candidates(studio, "stencil", {"words": "red"})) == set(COLOUR_WORDS) - {"red"}
