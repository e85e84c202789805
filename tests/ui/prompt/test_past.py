from __future__ import annotations

import re
from datetime import timedelta

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.services.grids.axes import Axis
from studio.storage.search import ORIGINS
from studio.ui import handover
from studio.ui.components import history
from studio.ui.components.query import Query
from studio.ui.prompt import past, writing
from tests.ui.fake_studio import FakeStudio

EVERYTHING = ("", False, False, "", "", ["", ""])


def drawn(fake: FakeStudio, *prompts: str, **fields: object) -> None:
    for prompt in prompts:
        fake.ended(fake.pictures.submit([Recipe.load({"prompt": prompt, "steps": 1, **fields})]))


def test_the_seed_of_the_picture_one_looks_at_can_be_taken(fake: FakeStudio) -> None:
    drawn(fake, "a ring", seed=2**64 - 1)
    assert past.seed_of(fake, 1) == "18446744073709551615"
    with pytest.raises(NotFound, match="no picture yet"):
        past.seed_of(fake, 0)


def test_a_star_is_kept_shown_and_taken_away(fake: FakeStudio) -> None:
    drawn(fake, "a ring", "a star")
    label, shown = past.star(fake, 1, True, Query())
    assert 'aria-pressed="true"' in label and shown.count('class="star"') == 1
    assert ids(history.past(fake, history.query("", True, *EVERYTHING[2:]))) == [1]
    label, shown = past.star(fake, 1, False, Query())
    assert 'aria-pressed="false"' in label and 'class="star"' not in shown


def ids(html: str) -> list[int]:
    """Numbers of the pictures on its tiles."""
    return [int(id) for tile in re.findall(r'data-ids="([0-9,]*)"', html) for id in tile.split(",")]


def test_deleting_can_be_undone_and_the_bin_emptied(fake: FakeStudio) -> None:
    drawn(fake, "a ring", "a star")
    gone = past.delete(fake, [1], Query())
    assert "bin" in gone["canvas"] and 'data-do="undelete"' in gone["caption"] and ids(gone["past"]) == [2]
    assert gone["picture_id"] == 0
    back = past.undelete(fake, [1], Query())
    assert "/pictures/1.png" in back["canvas"] and "Restore settings" in back["caption"] and ids(back["past"]) == [2, 1]
    past.delete(fake, [1], Query())
    bin = Query(in_bin=True)
    assert ids(history.past(fake, bin)) == [1]
    asked, said = past.purge(fake, False, bin)
    assert 'data-purge="sure"' in asked and not said and fake.history.count(only=bin.conditions()) == 1
    emptied, said = past.purge(fake, True, bin)
    assert "The bin is empty." in emptied and "1 picture gone" in said
    assert fake.history.count() == 1


def test_several_are_deleted_taken_back_and_shown_together(fake: FakeStudio) -> None:
    fake.ended(fake.pictures.submit([Recipe(seed=seed, steps=1) for seed in (7, 8)]))
    drawn(fake, "a fish")
    gone = past.delete(fake, [1, 3], Query())
    assert "2 pictures are in the bin" in gone["caption"] and 'data-id="1,3"' in gone["caption"]
    assert ids(gone["past"]) == [2]
    back = past.undelete(fake, [1, 3], Query())
    assert back["canvas"].count("data-pick") == 2 and "2 pictures" in back["caption"] and back["picture_id"] == 1
    shown = past.picked(fake, [1, 2])
    assert (
        shown["pinned"] and shown["canvas"].count("data-pick") == 2 and "2 pictures, seeds 7 to 8" in shown["caption"]
    )
    alone = past.picked(fake, [2])
    assert "2 of 2" in alone["canvas"] and 'data-all="1,2"' in alone["canvas"] and alone["picture_id"] == 2


def test_a_deleted_picture_offers_to_be_taken_out(fake: FakeStudio) -> None:
    drawn(fake, "a ring")
    past.delete(fake, [1], Query())
    _, label, id = past.picture(fake, 1)
    assert id == 1 and "Take out of the bin" in label and 'data-do="delete"' not in label


def test_filters_narrow_what_is_shown(fake: FakeStudio) -> None:
    drawn(fake, "a ring")
    drawn(fake, "a star", sampler="ddim")
    made = fake.history.get(1).created_at.astimezone()
    day, before = made.date().isoformat(), (made - timedelta(days=1)).date().isoformat()
    for change, count in (
        ({}, 2),
        ({"sampler": "ddim"}, 1),
        ({"model": "stencil"}, 2),
        ({"model": "sd"}, 0),
        ({"search": "RING"}, 1),
        ({"chosen": [day, day]}, 2),
        ({"chosen": ["", before]}, 0),
        ({"chosen": [day, ""]}, 2),
        ({"chosen": None}, 2),
    ):
        given = dict(zip(("search", "favourites", "in_bin", "model", "sampler", "chosen"), EVERYTHING, strict=True))
        shown = history.past(fake, history.query(**(given | change)))
        assert len(ids(shown)) == count, change
    assert "No picture is like that" in history.past(fake, Query(model="sd"))
    assert "“&lt;b&gt;”" in history.past(fake, Query(search="<b>"))


def test_what_a_picture_was_drawn_for_is_looked_for_and_what_people_drew_is_shown_first(fake: FakeStudio) -> None:
    drawn(fake, "a ring")
    for origin in ("guidance", "preview"):
        fake.ended(fake.pictures.submit([Recipe(prompt=f"for {origin}", steps=1)], origin=origin))
    origins = [origin for _, origin in history.ORIGIN_CHOICES]
    shown = {origin: ids(history.past(fake, history.query(*EVERYTHING, origin))) for origin in origins}
    assert shown.pop("") == [2, 1] and shown.pop("any") == [3, 2, 1]
    assert shown.pop("prompt") == [1] and shown.pop("guidance") == [2] and shown.pop("preview") == [3]
    assert set(shown) == {"campaign", "card", "comparison"} and not any(shown.values())
    assert set(origins) == {*ORIGINS, "", "any"}
    with pytest.raises(BadInput, match="drawn for"):
        history.query(*EVERYTHING, "the moon")


def test_a_comparison_a_sweep_and_a_grid_are_one_tile_each(fake: FakeStudio) -> None:
    recipes = [Recipe(prompt="a ring", steps=1, seed=seed) for seed in range(3)]
    fake.ended(fake.pictures.submit(recipes, origin="guidance", description="Sweep: eta of APG 6"))
    drawn(fake, "a star")
    number = fake.grids.start(recipes[0], [Axis("seed", (5, 6))])
    fake.ended(fake.grids.get(number).job_id)
    shown = history.past(fake, Query())
    assert re.findall(r'data-ids="([0-9,]*)"', shown) == ["5,6", "4", "1,2,3"]


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0000-00-00", "9999-99-99", "x" * 10_000])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(BadInput, match="2026-01-31"):
        history.query("", False, False, "", "", [day, ""])


def test_searches_of_any_length_are_cut_and_not_passed_on(fake: FakeStudio) -> None:
    drawn(fake, "a ring")
    assert "data-pick" not in history.past(fake, history.query("x" * 5000, *EVERYTHING[1:]))


def test_more_are_shown_on_request_and_then_older_ones(fake: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE", 1)
    monkeypatch.setattr(history, "MOST_AT_ONCE", 3)
    drawn(fake, *"abcde")
    asked = Query(limit=1)
    shown = history.past(fake, asked)
    assert shown.count("data-pick") == 1 and 'data-more="5"' in shown
    asked = history.more(asked, 5)
    shown = history.past(fake, asked)
    assert shown.count("data-pick") == 3 and 'data-more="3"' in shown
    asked = history.more(asked, 3)
    shown = history.past(fake, asked)
    assert asked.before_id == 3 and 'data-pick="2"' in shown and "Back to the newest" in shown
    assert "Show more" not in history.past(fake, Query(limit=5))


def test_a_picture_is_handed_to_a_tab_that_takes_them(fake: FakeStudio) -> None:
    drawn(fake, "<b>a ring</b>")
    assert handover.targets() == {"label": "Label", "guidance": "Guidance", "compare": "Compare"}
    first = handover.send(fake, "compare", [1], None)
    assert first.pictures[0].recipe.prompt == "<b>a ring</b>" and first.count == 1
    assert handover.send(fake, "label", [1], first).count == 2
    for to, picture in (("erase", 1), ("../x", 1), ("compare", 99)):
        with pytest.raises(NotFound):
            handover.send(fake, to, [picture], None)


def test_marked_pictures_are_sent_together_in_the_order_they_were_made(fake: FakeStudio) -> None:
    drawn(fake, "a ring")
    drawn(fake, "a star")
    gallery = history.past(fake, Query())
    assert re.findall(r'data-marked="send" data-to="(\w+)"', gallery) == ["label", "guidance", "compare"]
    both = handover.send(fake, "guidance", [2, 1, 2], None)
    assert [picture.recipe.prompt for picture in both.pictures] == ["a ring", "a star"]
    past.delete(fake, [1], Query())
    assert 'data-marked="send"' not in history.past(fake, Query(in_bin=True))
    with pytest.raises(NotFound):
        handover.send(fake, "guidance", [1, 99], None)


def test_surprises_are_about_the_world() -> None:
    assert writing.surprise().split()[0] in ("a", "an")
