"""What open pages hold: nothing done at once is lost, order is kept, and whatever a page sends is survived."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings

from studio.ui import sessions as module
from studio.ui.edit_stack import StackSession, change
from studio.ui.guidance import board as boards
from studio.ui.guidance.board import BoardSession
from studio.ui.sessions import Session
from tests.ui.guidance.test_board import plain


class Notes(Session[list[str]]):
    """A value as simple as can be: what was done."""

    def __init__(self) -> None:
        super().__init__([], lambda kept: [str(one) for one in kept["done"]], lambda done: {"done": done})


Sessions = module.Sessions[Notes]


def names(sessions: Sessions, key: str = "page") -> list[str]:
    """What was done, as `add` below notes it."""
    with sessions.of(key) as session:
        return session.value


def add(sessions: Sessions, name: str, turn: Any = None, kept: Any = None, key: str = "page") -> dict[str, Any]:
    """Do something that takes a moment between looking and putting; give what the browser is told to keep."""
    with sessions.of(key, kept, turn) as session:
        before = session.value
        time.sleep(0.005)
        session.put([*before, name])
        return session.browser_copy


def together(*work: Any) -> None:
    """Each in a thread of its own, begun in this order."""
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def test_whatever_is_done_at_once_is_all_done() -> None:
    sessions = Sessions(Notes)
    kept = add(sessions, "first")
    together(*(lambda k=k: add(sessions, str(k), kept=kept) for k in range(10)))
    assert sorted(names(sessions)) == sorted(["first", *map(str, range(10))])


def test_turns_are_taken_in_order_however_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 600)  # longer than is waited for the threads: nobody waits for nothing
    sessions = Sessions(Notes)
    with sessions.of("page") as session:
        session.begin()
    together(*(lambda k=k: add(sessions, str(k), turn=k) for k in (3, 5, 2, 4, 1)))
    assert names(sessions) == ["1", "2", "3", "4", "5"]


def test_a_turn_that_never_comes_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.1)
    sessions = Sessions(Notes)
    with sessions.of("page") as session:
        session.begin()
    together(*(lambda k=k: add(sessions, str(k), turn=k) for k in (4, 3)))
    add(sessions, "late", turn=1)
    assert names(sessions) == ["3", "4", "late"]


def test_a_page_that_is_not_known_begins_with_any_turn_and_what_its_browser_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 60)
    kept = add(Sessions(Notes), "before", turn=56)
    restarted = Sessions(Notes)
    assert add(restarted, "after", turn=57, kept=kept)["revision"] == kept["revision"] + 1
    assert names(restarted) == ["before", "after"]


def test_the_copy_of_the_browser_counts_only_where_it_knows_more() -> None:
    sessions = Sessions(Notes)
    old = add(sessions, "one", kept={"done": []})
    add(sessions, "two", kept=old)
    add(sessions, "three", kept=old)
    assert names(sessions) == ["one", "two", "three"]
    newer = {**old, "revision": 50}
    assert add(sessions, "four", kept=newer)["revision"] == 51 and names(sessions) == ["one", "four"]


def test_a_value_that_was_shown_before_the_copy_came_gives_way_to_it() -> None:
    kept = add(Sessions(Notes), "kept")
    sessions = Sessions(Notes)
    with sessions.of("page", None) as session:
        assert not session.is_filled
    with sessions.of("page", kept) as session:
        assert session.is_filled and session.value == ["kept"]


def test_pages_keep_to_themselves_and_the_longest_unused_is_forgotten() -> None:
    sessions = Sessions(Notes, most=3)
    for key in ("a", "b", "c"):
        add(sessions, key, key=key)
    add(sessions, "again", key="a")
    kept = add(sessions, "d", key="d")
    assert len(sessions) == 3 and names(sessions, "a") == ["a", "again"] and names(sessions, "d") == ["d"]
    assert names(sessions, "b") == [] and kept["revision"] == 1


def test_a_page_in_use_is_not_forgotten() -> None:
    sessions = Sessions(Notes, most=1)
    with sessions.of("busy") as session:
        for key in "abc":
            add(sessions, key, key=key)
        session.put(["done"])
    assert names(sessions, "busy") == ["done"]


def test_an_error_inside_leaves_the_board_and_the_door_open() -> None:
    sessions = Sessions(Notes)
    add(sessions, "one")
    with pytest.raises(ZeroDivisionError), sessions.of("page", turn=1):
        raise ZeroDivisionError
    add(sessions, "two", turn=2)
    assert names(sessions) == ["one", "two"]


def test_a_page_that_has_seen_more_is_told_something_newer() -> None:
    sessions = Sessions(Notes)
    with sessions.of("page") as session:
        session.raise_above(12)
        assert session.revision == 13
        session.raise_above(3)
        assert session.revision == 14
        for rubbish in (None, "99", 1e9, True, -4, 2**60, {}):
            session.raise_above(rubbish)
        assert session.revision == 21


@settings(max_examples=60, deadline=None)
@given(plain, plain, plain)
@pytest.mark.parametrize("kind", [BoardSession, StackSession])
def test_rubbish_has_a_value_too(kind: Any, key: Any, kept: Any, turn: Any) -> None:
    sessions = module.Sessions(kind, most=2)
    with sessions.of(key, kept, turn) as session:
        session.put(session.value)
    with sessions.of("x" * 1000, {**kind().browser_copy, "revision": kept}, turn) as session:
        assert session.value == kind().value
    assert len(sessions) <= 2


def test_each_kind_gives_its_browser_what_it_reads_back() -> None:
    board, stack = BoardSession(), StackSession()
    board.put(boards.change(board.value, "choose", 2))
    stack.put(change(change(stack.value, "add", "one"), "strength", "one", 0.5))
    for session, fresh in ((board, BoardSession()), (stack, StackSession())):
        fresh.fill(json.loads(json.dumps(session.browser_copy)))
        assert fresh.value == session.value and fresh.revision == session.revision > 0
