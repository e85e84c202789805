"""Balancing on the Erase tab, without a page: what is wanted, the looks as bars, the edit that comes of it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.training.balance.outcome import Outcome
from studio.training.balance.plan import LookOptions, read_plan
from studio.ui.erase import board as boards
from studio.ui.erase.balance import bars, form
from studio.ui.erase.balance.run import Measured
from studio.ui.erase.board import BoardSession
from studio.ui.erase.handlers import Handlers
from studio.ui.erase.tab import SEEN
from studio.ui.sessions import Sessions
from studio.ui.wiring import Answer
from tests.ui.erase.test_handlers import FIELDS, PAGE, held, pictures, settled
from tests.ui.fake_studio import FakeStudio


@pytest.fixture
def do(fake: FakeStudio) -> Handlers:
    """On a page whose tab balances: two looks of four pictures."""
    made = Handlers(fake, Sessions(BoardSession))
    made.opened(replace(PAGE, stored=boards.plain(boards.new())))
    made.visited(PAGE)
    made.aim_op(PAGE, "balance")
    for name, value in (("rounds", 3), ("pictures", 4), ("checked", 4)):
        wish(made, "option", name=name, value=value)
    return made


def wish(do: Handlers, op: str, row: int = 0, value: Any = None, name: str = "") -> Answer:
    return do.wishes_op(PAGE, {"op": op, "row": row, "name": name, "value": value})


def until(do: Handlers, words: str) -> Answer:
    """Look until they are there."""
    deadline = time.monotonic() + 20
    while words not in (answer := do.looked(PAGE))["outcome"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return answer


def bars_of(html: str) -> dict[str, list[str]]:
    """Group -> its bars: name, share and pictures of each."""
    groups = re.findall(r"<li[^>]*>(.*?)</li>", html.partition("balance-shares")[2], re.DOTALL)
    tags = re.compile(r"<[^>]+>")
    return {
        tags.sub("", re.findall(r"<b>(.*?)</b>", group)[0]): [
            tags.sub(" ", bar).split()[0] + " " + " ".join(tags.sub(" ", bar).split()[1:])
            for bar in re.findall(r'<p class="share-bar.*?</p>', group, re.DOTALL)
        ]
        for group in groups
    }


def test_the_other_aim_has_its_own_form_button_and_example_and_what_was_set_stays(
    do: Handlers, fake: FakeStudio
) -> None:
    answer = do.visited(PAGE)
    assert set(answer) <= set(SEEN) and "rows" not in answer
    assert answer["go"].value == "Balance" and 'data-aim="balance"' in answer["aim"]
    assert "Press Balance" in answer["outcome"]
    assert 'value="heart"' in answer["wishes"] and answer["wishes"].count("50%") == 2
    assert "Draws 20 pictures at most" in answer["note"]  # three looks of four, and four twice
    three = wish(do, "words", 3, "green") if wish(do, "add") else {}
    assert wish(do, "parts", 3, 2)["wishes"].count("25%") == 2 and "message error" not in three["note"]
    back = do.aim_op(PAGE, "erase")
    assert back["go"].value == "Erase" and "star" in back["rows"] and "Press Erase" in back["outcome"]
    board = held(do.aim_op(PAGE, "balance"))
    assert [row.value.words for row in board.wishes.shares] == ["red", "blue", "green"]
    assert boards.read(boards.plain(board)) == board
    assert "cannot" in do.aim_op(PAGE, "sing")["message"] and held(do.looked(PAGE)) == board


@pytest.mark.parametrize(
    ("ops", "fields", "complaint"),
    [
        ([("concept", 0, "zebra")], {}, "is no object, style or colour"),
        ([("concept", 0, "neon")], {}, "what is balanced is an object"),
        ([("concept", 0, "")], {}, "Say what is balanced"),
        ([("words", 1, "")], {}, "Name a colour or a style"),
        ([("words", 1, "star")], {}, "no colour and no style"),
        ([("words", 1, "neon")], {}, "all colours or all styles"),
        ([("words", 1, "blue")], {}, "is wanted twice"),
        ([("parts", 1, 0)], {}, "above 0"),
        ([("parts", 1, 1e9)], {}, "above 0, at most 1000000"),
        ([("remove", 1, None)], {}, "between two attributes at least"),
        ([], {"preserve": "a red heart"}, "cannot stay"),
        ([], {"seed": "seven"}, "seed"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_and_again_when_balanced_and_nothing_is_lost(
    do: Handlers, fake: FakeStudio, ops: list[tuple[str, int, Any]], fields: dict[str, str], complaint: str
) -> None:
    call = replace(PAGE, fields={**FIELDS, **fields})
    for op, row, value in ops:
        do.wishes_op(call, {"op": op, "row": row, "name": "", "value": value})
    checked = do.checked(call)
    assert complaint in checked["wishes"] + checked["note"]
    board = held(checked)
    answer = do.erase(call)
    assert 'class="message error"' in answer["message"] and complaint in answer["message"] + answer["wishes"]
    assert held(answer).wishes == board.wishes and held(answer).trial is None and not fake.jobs.newest()


def test_what_is_no_wish_is_refused_and_changes_nothing(do: Handlers) -> None:
    board = held(do.checked(PAGE))
    for change in (
        {"op": "sing"},
        {"op": "words", "row": 9, "value": "red"},
        {"op": "parts", "row": 1, "value": "many"},
        {"op": "parts", "row": True, "value": 1},
        {"op": "option", "name": "rounds", "value": 0},
        {"op": "option", "name": "x", "value": 1},
    ):
        assert 'class="message error"' in do.wishes_op(PAGE, change)["message"]
    assert held(do.checked(PAGE)).wishes == board.wishes
    with pytest.raises((BadInput, ValueError, KeyError, TypeError)):
        form.read({"concept": "heart", "shares": [], "options": {}})


def test_looks_are_bars_that_move_and_what_comes_of_them_is_an_edit_on_the_stack(
    do: Handlers, fake: FakeStudio
) -> None:
    job = held(do.erase(PAGE)).trial.job  # type: ignore[union-attr]
    fake.sketcher.step_s = 0.1
    going = until(do, "Round 1: draws the base")
    assert 'data-measured="-1"' in going["outcome"] and f'data-of="{job}"' in going["outcome"]
    assert f'data-watch="{job}"' in going["outcome"] and going["stop"].interactive
    fake.sketcher.step_s = 0.001
    fake.ended(job)
    answer = settled(do, fake)
    assert bars_of(answer["outcome"]) == {
        "red": ["before 100% · 4 of 4", "after 62% · 2 of 4"],
        "blue": ["before 0% · 0 of 4", "after 38% · 2 of 4"],
        "Anything else": ["before 0% · 0 of 4", "after 0% · 0 of 4"],
        "Broken pictures": ["before 0% · 0 of 4", "after 0% · 0 of 4"],
    }
    assert answer["outcome"].count("wanted: 50%") == 2
    assert 'class="message error"' in answer["outcome"] and "Nearer, but not as wanted" in answer["outcome"]
    assert [name for _, name in pictures(answer)] == ["before", "after, strength 1"] * 8
    assert "red or blue" in answer["pairs"] and "Negative prompt" not in answer["pairs"]
    assert answer["card"] == "" and "Go on training" not in answer["outcome"]
    (entry,) = fake.edits.list()
    assert entry.name == "balanced-heart" and "Nearer, not as wanted" in answer["past"]
    _, stack = do.act(PAGE, "accept", None)
    assert [(row.edit, row.strength, row.on) for row in stack.rows] == [(entry.id, 1.0, True)]
    # A page without its events has the same bars by what the edit says of itself.
    elsewhere = Handlers(fake, Sessions(BoardSession))
    page = replace(PAGE, session="another", stored=boards.plain(boards.new()))
    elsewhere.opened(page)
    elsewhere.visited(page)
    elsewhere.open(page, entry.id)
    reopened = settled(elsewhere, fake, page)
    assert bars_of(reopened["outcome"]) == bars_of(answer["outcome"]) and len(pictures(reopened)) == 16
    assert "nothing to compare" in do.beside_negative(PAGE)["message"]
    assert "nothing to go on with" in do.act(PAGE, "go_on", None)[0]["message"]
    gone, stack = do.act(replace(PAGE, stack=stack), "discard", None)
    assert not stack.rows and not fake.edits.list() and "Press Balance" in gone["outcome"]


def test_a_balance_that_changes_nothing_says_so_loudly(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.steers, fake.sketcher.tints = 0.0, False
    do.erase(PAGE)
    answer = settled(do, fake)
    assert re.search(r'class="message error"[^>]*>No round came nearer .* the edit changes nothing', answer["outcome"])
    assert "No effect" in answer["pairs"] and 'class="light poor">Not as wanted' in answer["past"]


def test_stopped_it_keeps_the_nearest_look_and_says_that_nothing_else_was_looked_at(
    do: Handlers, fake: FakeStudio
) -> None:
    fake.sketcher.step_s = 0.01
    wish(do, "option", name="rounds", value=50)
    job = held(do.erase(PAGE)).trial.job  # type: ignore[union-attr]
    going = until(do, 'class="share-bar now"')
    assert "of 50 at most: draws pictures" in going["outcome"] and "Nearest so far is round" in going["outcome"]
    shown_step = int(re.findall(r'data-measured="(\d+)"', going["outcome"])[0])
    assert shown_step >= 1 and f'data-of="{job}"' in going["outcome"]
    do.stop(PAGE)
    fake.ended(job)
    answer = settled(do, fake)
    assert re.search(r"Stopped\. Round \d+ came nearest until then", answer["outcome"])
    assert len(fake.edits.list()) == 1 and "not measured" in answer["past"]
    assert "Accept at strength 1" in answer["outcome"] and "Go on" not in answer["outcome"]


def measured(level: str, looks: int = 0, attributes: int = 2) -> Measured:
    words = ["red", "blue", "green", "yellow"][:attributes]
    plain = {"name": "b", "model": "stencil", "concept": "heart", "attributes": [{"words": word} for word in words]}
    look = {**dict.fromkeys(words, 0.1), "not valid": 0.0, "farthest from wanted": 0.4}
    outcome = Outcome(level, "A <sentence>.") if level else None  # type: ignore[arg-type]
    return Measured(read_plan(plain), [look] * looks, None, outcome)


def test_what_it_came_to_is_loud_unless_it_is_as_wanted() -> None:
    assert bars.verdict_html(None) == bars.verdict_html(measured("")) == ""
    assert 'class="message note"' in bars.verdict_html(measured("met"))
    for level in ("needless", "nearer", "missed"):
        html = bars.verdict_html(measured(level))
        assert 'class="message error"' in html and "A &lt;sentence&gt;." in html
    assert "of four, some may stay away" in bars.verdict_html(measured("nearer", attributes=4))


def test_what_a_balance_is_at_is_told_by_its_looks() -> None:
    rounds = LookOptions().rounds
    assert bars.doing(None).startswith("Round 1:")
    assert bars.doing(measured("", looks=2)).startswith(f"Round 3 of {rounds} at most")
    assert bars.doing(measured("", looks=rounds)).startswith("The check: draws")
