"""The history: found again, marked, deleted, taken back, purged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.history import Generation, Purged
from studio.services.studio import Studio
from studio.storage.search import HistoryFilter

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


@pytest.fixture
def made(studio: Studio, draw: Draw) -> list[Generation]:
    recipes = [draw(seed=1), draw(seed=2, sampler="ddim"), draw(seed=3, prompt="a blue square")]
    return studio.pictures.draw(recipes)


def numbers(found: list[Generation]) -> list[int]:
    return [one.id for one in found]


def test_finding(studio: Studio, made: list[Generation]) -> None:
    one, two, three = numbers(made)
    assert numbers(studio.history.newest()) == [three, two, one]
    assert numbers(studio.history.newest(1, before_id=three)) == [two]
    assert numbers(studio.history.newest(search="RED", only=HistoryFilter(sampler="dpmpp_2m"))) == [one]
    assert studio.history.count("star", HistoryFilter(seed=2)) == 1
    studio.history.favourite(two)
    assert numbers(studio.history.newest(only=HistoryFilter(favourites=True))) == [two]
    assert studio.history.get(two).favourite is True
    studio.history.favourite(two, False)
    assert studio.history.count(only=HistoryFilter(favourites=True)) == 0


def test_deleting_and_taking_it_back(studio: Studio, made: list[Generation]) -> None:
    one, two, three = numbers(made)
    assert studio.history.delete([one, two]) == 2 and studio.history.delete([one]) == 0
    assert numbers(studio.history.newest()) == [three] and studio.history.count() == 1
    assert numbers(studio.history.newest(only=HistoryFilter(deleted=True))) == [two, one]
    assert studio.history.get(one).deleted_at is not None and made[0].image_path.exists()
    assert studio.history.undelete([one]) == 1
    assert numbers(studio.history.newest()) == [three, one]
    assert studio.history.purge() == Purged(pictures=1, files=1)
    assert made[0].image_path.exists() and not made[1].image_path.exists()
    with pytest.raises(NotFound):
        studio.history.undelete([two])


def test_a_deleted_picture_still_belongs_to_its_job(settings: Settings, draw: Draw) -> None:
    with Studio(settings, backend="inline") as studio:
        made = studio.pictures.draw([draw()])[0]
        studio.history.delete([made.id])
    with Studio(settings, backend="inline") as studio:
        assert made.job_id is not None
        told = [event.data["generation"] for event in studio.jobs.events(made.job_id) if event.kind == "image"]
        assert told == [made.id]


def test_a_picture_made_again_after_it_was_deleted(studio: Studio, draw: Draw) -> None:
    """The same recipe gives the same file: purging the first must not take it from the second."""
    first = studio.pictures.draw([draw()])[0]
    studio.history.delete([first.id])
    second = studio.pictures.draw([draw()])[0]
    assert second.sha256 == first.sha256
    assert studio.history.purge() == Purged(pictures=1, files=0) and second.image_path.exists()


@pytest.mark.parametrize("id", [0, -1, 99, 2**63, True, "1", None, 1.0])
def test_numbers_of_no_picture(studio: Studio, id: Any) -> None:
    for ask in (
        studio.history.get,
        studio.history.favourite,
        lambda id: studio.history.delete([id]),
        lambda id: studio.history.undelete([id]),
    ):
        with pytest.raises(NotFound, match="no picture number"):
            ask(id)


@pytest.mark.parametrize(
    "values",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "10"},
        {"limit": True},
        {"offset": -1},
        {"offset": 2**63},
        {"before_id": -1},
        {"before_id": 2**63},
        {"before_id": "x"},
        {"search": "x" * 1001},
    ],
)
def test_pages_out_of_range(studio: Studio, values: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        studio.history.newest(**values)
