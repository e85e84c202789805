"""The boards of open pages: nothing done at once is lost, order is kept, and whatever a page sends is survived."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings

from studio.ui.guidance import board as boards
from studio.ui.guidance import sessions as module
from studio.ui.guidance.sessions import Sessions
from tests.ui.guidance.test_board import plain


def names(sessions: Sessions, key: str = "page") -> list[str]:
    """What was done, as `add` below notes it."""
    with sessions.of(key) as session:
        return [cell["job"] for cell in session.board["cells"]]


def add(sessions: Sessions, name: str, turn: Any = None, kept: Any = None, key: str = "page") -> dict[str, Any]:
    """Do something that takes a moment between looking and putting; give what the browser is told to keep."""
    with sessions.of(key, kept, turn) as session:
        before = session.board
        time.sleep(0.005)
        cell = {"row": 1, "seed": "7", "job": name, "place": 0}
        session.put({**before, "cells": [*before["cells"], cell]})
        return session.kept


def together(*work: Any) -> None:
    """Each in a thread of its own, begun in this order."""
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_whatever_is_done_at_once_is_all_done() -> None:
    sessions = Sessions()
    kept = add(sessions, "first")
    together(*(lambda k=k: add(sessions, str(k), kept=kept) for k in range(10)))
    assert sorted(names(sessions)) == sorted(["first", *map(str, range(10))])


def test_turns_are_taken_in_order_however_they_arrive() -> None:
    sessions = Sessions()
    with sessions.of("page") as session:
        session.begin()
    began = time.monotonic()
    together(*(lambda k=k: add(sessions, str(k), turn=k) for k in (3, 5, 2, 4, 1)))
    assert names(sessions) == ["1", "2", "3", "4", "5"]
    assert time.monotonic() - began < module.WAIT_S  # nobody waited for nothing


def test_a_turn_that_never_comes_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.1)
    sessions = Sessions()
    with sessions.of("page") as session:
        session.begin()
    together(*(lambda k=k: add(sessions, str(k), turn=k) for k in (4, 3)))
    add(sessions, "late", turn=1)
    assert names(sessions) == ["3", "4", "late"]


def test_a_page_that_is_not_known_begins_with_any_turn_and_what_its_browser_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 60)
    kept = add(Sessions(), "before", turn=56)
    restarted = Sessions()
    assert add(restarted, "after", turn=57, kept=kept)["revision"] == kept["revision"] + 1
    assert names(restarted) == ["before", "after"]


def test_the_copy_of_the_browser_counts_only_where_it_knows_more() -> None:
    sessions = Sessions()
    old = add(sessions, "one", kept=boards.new())
    add(sessions, "two", kept=old)
    add(sessions, "three", kept=old)
    assert names(sessions) == ["one", "two", "three"]
    newer = {**old, "revision": 50}
    assert add(sessions, "four", kept=newer)["revision"] == 51 and names(sessions) == ["one", "four"]


def test_a_board_that_was_shown_before_the_copy_came_gives_way_to_it() -> None:
    kept = add(Sessions(), "kept")
    sessions = Sessions()
    with sessions.of("page", None) as session:
        assert not session.is_filled
    with sessions.of("page", kept) as session:
        assert session.is_filled and [cell["job"] for cell in session.board["cells"]] == ["kept"]


def test_pages_keep_to_themselves_and_the_longest_unused_is_forgotten() -> None:
    sessions = Sessions(most=3)
    for key in ("a", "b", "c"):
        add(sessions, key, key=key)
    add(sessions, "again", key="a")
    kept = add(sessions, "d", key="d")
    assert len(sessions) == 3 and names(sessions, "a") == ["a", "again"] and names(sessions, "d") == ["d"]
    assert names(sessions, "b") == [] and kept["revision"] == 1


def test_a_page_in_use_is_not_forgotten() -> None:
    sessions = Sessions(most=1)
    with sessions.of("busy") as session:
        for key in "abc":
            add(sessions, key, key=key)
        session.put(boards.change(session.board, "choose", 2))
    with sessions.of("busy") as session:
        assert session.board["chosen"] == 2


def test_an_error_inside_leaves_the_board_and_the_door_open() -> None:
    sessions = Sessions()
    add(sessions, "one")
    with pytest.raises(ZeroDivisionError), sessions.of("page", turn=1):
        raise ZeroDivisionError
    add(sessions, "two", turn=2)
    assert names(sessions) == ["one", "two"]


def test_a_page_that_has_seen_more_is_told_something_newer() -> None:
    sessions = Sessions()
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
def test_rubbish_has_a_board_too(key: Any, kept: Any, turn: Any) -> None:
    sessions = Sessions(most=2)
    with sessions.of(key, kept, turn) as session:
        session.put(boards.change(session.board, "choose", session.board["rows"][0]["id"]))
    with sessions.of("x" * 1000, {**boards.new(), "revision": kept}, turn) as session:
        assert session.board == boards.new()
    assert len(sessions) <= 2
