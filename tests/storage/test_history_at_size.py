"""Fifty thousand pictures: what a page costs, in instructions of the database's machine, which no load changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from studio.core.recipe import Recipe
from studio.storage.archive import Archive
from studio.storage.schema import generations
from studio.storage.search import HistoryFilter

pytestmark = pytest.mark.slow

PICTURES = 50_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    made = Archive.open(tmp_path_factory.mktemp("large"))
    with made.generations._database.write() as connection:
        connection.execute(insert(generations), [row(number) for number in range(1, PICTURES + 1)])
    yield made
    made.close()


def row(number: int) -> dict[str, object]:
    """One in 1000 is a favourite, one in 100 is in the bin, one in 25,000 has a heart."""
    recipe = Recipe.load(
        {
            "prompt": f"a {'heart' if number % 25_000 == 1 else 'star'} on a white background, take {number}",
            "seed": number,
            "sampler": "ddim" if number % 2 else "dpmpp_2m",
        }
    )
    return {
        "image": f"{number:064x}",
        "recipe": recipe.canonical_json(),
        "prompt": recipe.prompt,
        "negative_prompt": "",
        "made_by": json.dumps({"model_hash": "0" * 64, "torch": "2"}),
        "created_at": (BEGAN + timedelta(minutes=number)).isoformat(),
        "words": recipe.prompt.casefold() + "\n",
        "model": recipe.model,
        "sampler": recipe.sampler,
        "method": recipe.guidance.method,
        "seed": str(recipe.seed),
        "favourite": number % 1000 == 0,
        "deleted_at": BEGAN.isoformat() if number % 100 == 50 else None,
    }


def cost(archive: Archive, work: Callable[[], object]) -> int:
    """Instructions of SQLite's virtual machine that some work takes, in hundreds."""
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    with archive.generations._database.read() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
    raw.set_progress_handler(tick, 100)  # the pool gives this one connection to whoever asks next
    try:
        work()
    finally:
        raw.set_progress_handler(None, 0)
    return ticks


def test_a_page_costs_the_same_however_deep_it_lies(archive: Archive) -> None:
    pages = archive.generations.page
    top = cost(archive, lambda: pages(24))
    deep = cost(archive, lambda: pages(24, before_id=500))
    print(f"a page at the top: {top}, 49,500 pictures down: {deep}, by offset: ", end="")
    print(cost(archive, lambda: pages(24, offset=49_000)))
    assert [one.id for one in pages(24, before_id=500)][:2] == [499, 498]
    assert max(top, deep) < 10 and abs(top - deep) <= 2


@pytest.mark.parametrize(
    "only",
    [
        HistoryFilter(favourites=True),
        HistoryFilter(sampler="ddim"),
        HistoryFilter(seed=17),
        HistoryFilter(model="stencil", method="cfg"),
    ],
    ids=["favourites", "sampler", "seed", "model and method"],
)
def test_a_page_of_what_is_rare_or_common_is_read_from_an_index(archive: Archive, only: HistoryFilter) -> None:
    found = cost(archive, lambda: archive.generations.page(24, only=only))
    print(f"{only}: {found}")
    assert found < 10


def test_dates_words_and_counts_look_at_each_picture_at_most_once(archive: Archive) -> None:
    """A dozen instructions for each of the 50,000 is a few hundredths of a second."""
    pages, count = archive.generations.page, archive.generations.count
    year = HistoryFilter(made_from=BEGAN + timedelta(minutes=10), made_until=BEGAN + timedelta(minutes=20))
    in_bin = cost(archive, lambda: pages(24, only=HistoryFilter(deleted=True)))
    found = {
        "dates": cost(archive, lambda: pages(24, only=year)),
        "words": cost(archive, lambda: pages(24, search="heart")),
        "count": cost(archive, count),
        "count words": cost(archive, lambda: count("heart")),
    }
    print(found, "bin:", in_bin)
    assert len(pages(24, only=year)) == 10 and count("heart") == 2
    assert count() == PICTURES - PICTURES // 100
    assert in_bin < 20 * (PICTURES // 100) / 100  # all of the bin, and nothing else
    assert max(found.values()) < 15 * PICTURES / 100
