"""The board: what a job's events are, and what its last one is."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from studio.core.errors import BadInput, Cancelled, EngineError, NonFinite, NotFound, WorkspaceError
from studio.engine.board import REMEMBERED_JOBS, Board
from studio.engine.events import Event

JOB = {"kind": "generate", "recipes": []}
TRAINING = {"kind": "train"}


def kinds(board: Board, job_id: str) -> list[str]:
    return [event.kind for event in board.events(job_id)]


def test_events_are_numbered_and_can_be_read_from_any_point() -> None:
    board = Board()
    job = board.submit(JOB)
    assert board.take() is not None
    board.tell(job, "started", {})
    board.tell(job, "image", {"image": 0})
    board.tell(job, "done", {})
    assert [(event.seq, event.kind) for event in board.events(job)] == [
        (1, "queued"),
        (2, "started"),
        (3, "image"),
        (4, "done"),
    ]
    assert [event.seq for event in board.events(job, since=2)] == [3, 4]
    assert board.events(job, since=4) == []


def test_only_the_newest_preview_and_progress_are_kept() -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    for step in range(5):
        board.tell(job, "progress", {"step": step})
        board.tell(job, "preview", {"png": bytes([step])})
    events = board.events(job)
    assert [event.kind for event in events] == ["queued", "progress", "preview"]
    assert events[1].data == {"step": 4} and events[2].seq == 11
    board.tell(job, "done", {})
    assert kinds(board, job) == ["queued", "done"]


def test_nothing_follows_the_last_event() -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    board.tell(job, "done", {})
    board.tell(job, "image", {})
    board.fail(job, NonFinite("late"))
    assert kinds(board, job) == ["queued", "done"]


def test_first_come_first_served() -> None:
    board = Board()
    first, second = board.submit(JOB), board.submit(JOB)
    assert board.events(second)[0].data == {"ahead": 1}
    taken = board.take()
    assert taken is not None and taken.id == first and board.running() == first and board.waiting() == 1


# -- the order of the queue -----------------------------------------------------------------------------------------


def order(board: Board) -> list[str]:
    return [entry.id for entry in board.queue() if entry.position]


def test_interactive_jobs_go_before_those_in_the_background() -> None:
    board = Board()
    training, picture = board.submit(TRAINING), board.submit(JOB)
    sweep = board.submit({**JOB, "priority": "background"})
    second = board.submit(JOB)
    assert order(board) == [picture, second, training, sweep]
    assert [board.events(job)[0].data["ahead"] for job in (training, picture, sweep, second)] == [0, 0, 2, 1]
    assert [(entry.position, entry.kind, entry.priority) for entry in board.queue()][2:] == [
        (3, "train", "background"),
        (4, "generate", "background"),
    ]


def test_an_interactive_job_is_taken_in_the_middle_of_one_in_the_background() -> None:
    board = Board()
    training, other = board.submit(TRAINING), board.submit(TRAINING)
    paused = board.take()
    assert paused is not None and board.take(block=False, between=paused) is None
    picture = board.submit(JOB)
    assert board.events(picture)[0].data == {"ahead": 0}
    taken = board.take(block=False, between=paused)
    assert taken is not None and taken.id == picture == board.running()
    assert [(entry.id, entry.standing) for entry in board.queue()] == [
        (training, "paused"),
        (picture, "running"),
        (other, "waiting"),
    ]
    board.tell(picture, "done", {})
    board.tell(training, "progress", {"step": 3, "steps": 9})
    board.cancel(training, keep=True)
    entry = board.queue()[0]
    assert (entry.id, entry.standing, entry.progress) == (training, "stopping", {"step": 3, "steps": 9})


def test_what_is_drawn_ahead_is_between_the_two_other_classes() -> None:
    board = Board()
    training = board.submit(TRAINING)
    pairs = [board.submit({**JOB, "priority": "ahead"}) for _ in range(2)]
    pictures = [board.submit(JOB) for _ in range(2)]
    assert order(board) == [*pictures, *pairs, training]
    told = [board.events(job)[0].data["ahead"] for job in (training, *pairs, *pictures)]
    assert told == [0, 0, 1, 0, 1]
    with pytest.raises(BadInput, match="always go before"):
        board.move(pairs[1], successor_id=pictures[0])
    board.move(pairs[1], successor_id=pairs[0])
    assert order(board) == [*pictures, *pairs[::-1], training]


def test_each_class_is_taken_in_the_middle_of_those_after_it_only() -> None:
    board = Board()
    background, other = board.submit(TRAINING), board.submit(TRAINING)
    running = board.take()
    assert running is not None and running.id == background
    ahead = board.submit({**JOB, "priority": "ahead"})
    between = board.take(block=False, between=running)
    assert between is not None and between.id == ahead
    second = board.submit({**JOB, "priority": "ahead"})
    assert board.take(block=False, between=between) is None  # its own class waits for it
    picture = board.submit(JOB)
    innermost = board.take(block=False, between=between)
    assert innermost is not None and innermost.id == picture and board.take(block=False, between=innermost) is None
    assert [(entry.id, entry.standing) for entry in board.queue()] == [
        (background, "paused"),
        (ahead, "paused"),
        (picture, "running"),
        (second, "waiting"),
        (other, "waiting"),
    ]
    board.put_back(ahead)
    assert [entry.id for entry in board.queue()][2:] == [ahead, second, other]


def test_moving() -> None:
    board = Board()
    first, second, third = (board.submit(JOB) for _ in range(3))
    training = board.submit(TRAINING)
    board.move(third, successor_id=first)
    assert order(board) == [third, first, second, training]
    board.move(third)
    assert order(board) == [first, second, third, training]
    board.move(first, successor_id=third)
    assert order(board) == [second, first, third, training]
    board.move(first, successor_id=first)
    assert order(board) == [second, first, third, training]


def test_what_cannot_be_moved() -> None:
    board = Board()
    running, waiting, training = board.submit(JOB), board.submit(JOB), board.submit(TRAINING)
    board.take()
    for job, before in ((running, waiting), (waiting, running)):
        with pytest.raises(BadInput, match="is waiting"):
            board.move(job, before)
    for job, before in ((training, waiting), (waiting, training)):
        with pytest.raises(BadInput, match="always go before"):
            board.move(job, before)
    for job, before in (("nonsense", None), (waiting, "nonsense")):
        with pytest.raises(NotFound):
            board.move(job, before)
    assert order(board) == [waiting, training]


def test_a_job_taken_and_not_begun_waits_again_as_the_first() -> None:
    board = Board()
    first, second = board.submit(JOB), board.submit(JOB)
    board.take()
    board.put_back(first)
    assert order(board) == [first, second] and board.running() is None
    board.take()
    board.cancel(first, keep=True)
    board.put_back(first)
    assert kinds(board, first) == ["queued", "cancelled"] and order(board) == [second]


def test_reading_waits_for_what_is_new() -> None:
    board = Board()
    job = board.submit(JOB)
    threading.Timer(0.05, lambda: board.tell(job, "started", {})).start()
    began = time.monotonic()
    assert [event.kind for event in board.events(job, since=1, wait_s=200)] == ["started"]
    assert time.monotonic() - began < 100  # when it came, and not when the wait was over
    assert board.events(job, since=2, wait_s=0.01) == []


def test_errors_become_the_last_event() -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    board.fail(job, NonFinite("The latents stopped being numbers at step 3 of 8.", "Take less."))
    last = board.events(job)[-1]
    assert (last.kind, last.data["type"]) == ("failed", "NonFinite")
    assert last.data["error"] == "The latents stopped being numbers at step 3 of 8. Take less."


def test_a_bug_is_told_by_a_short_id_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    board = Board()
    job = board.submit(JOB)
    board.fail(job, KeyError("secret detail"))
    said = board.events(job)[-1].data["error"]
    assert "KeyError" in said and "secret detail" not in said
    short_id = said.split("error id ")[1][:8]
    assert short_id in caplog.text and "secret detail" in caplog.text


# -- cancel, at each state ------------------------------------------------------------------------------------------


def test_cancel_of_a_queued_job_ends_it_at_once() -> None:
    board = Board()
    first, second = board.submit(JOB), board.submit(JOB)
    assert board.cancel(first, keep=True) is False
    assert kinds(board, first) == ["queued", "cancelled"]
    taken = board.take()
    assert taken is not None and taken.id == second


@pytest.mark.parametrize(("keep", "kept"), [(True, 1), (False, 0)])
def test_cancel_of_a_running_job(keep: bool, kept: int) -> None:
    board = Board()
    job = board.submit(JOB)
    ticket = board.take()
    assert ticket is not None
    board.tell(job, "image", {})
    assert board.cancel(job, keep) is True and ticket.stop_asked()
    board.fail(job, Cancelled("stopped"))
    assert board.events(job)[-1].data == {"images": kept, "keep": keep}


def test_discarding_wins_over_keeping() -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    board.cancel(job, keep=False)
    board.cancel(job, keep=True)
    board.fail(job, Cancelled("stopped"))
    assert board.events(job)[-1].data["keep"] is False


@pytest.mark.parametrize(("keep", "kind"), [(True, "done"), (False, "cancelled")])
def test_a_job_that_is_done_before_the_cancel_is_heard(keep: bool, kind: str) -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    board.cancel(job, keep)
    board.tell(job, "done", {})
    assert board.events(job)[-1].kind == kind


def prepared(state: str) -> tuple[Board, str]:
    """A board and its job in that state."""
    board = Board()
    job = board.submit(TRAINING if state == "paused" else JOB)
    ticket = board.take() if state != "queued" else None
    if state == "paused":
        board.submit(JOB)
        assert board.take(block=False, between=ticket) is not None
    elif state in ("done", "failed", "interrupted"):
        board.tell(job, state, {})  # type: ignore[arg-type]
    elif state == "cancelled":
        board.cancel(job, keep=True)
        board.fail(job, Cancelled("stopped"))
    return board, job


@pytest.mark.parametrize("second", [True, False], ids=["kept, kept", "kept, discarded"])
@pytest.mark.parametrize("state", ["queued", "running", "paused", "done", "failed", "interrupted", "cancelled"])
def test_cancelled_twice_in_whatever_state_a_job_ends_once(state: str, second: bool) -> None:
    board, job = prepared(state)
    before = kinds(board, job)
    works = [board.cancel(job, keep) for keep in (True, second)]
    assert works == [state in ("running", "paused")] * 2
    if state in ("running", "paused"):
        board.fail(job, Cancelled("stopped"))
        assert board.events(job)[-1].data["keep"] is second
    ended = state if state in ("done", "failed", "interrupted") else "cancelled"
    assert kinds(board, job)[-1] == ended and len(kinds(board, job)) - len(before) in (0, 1)
    assert sum(event.final for event in board.events(job)) == 1


def test_cancel_of_a_finished_or_unknown_job() -> None:
    board = Board()
    job = board.submit(JOB)
    board.take()
    board.tell(job, "done", {})
    assert board.cancel(job, keep=False) is False
    assert kinds(board, job) == ["queued", "done"]
    with pytest.raises(NotFound, match="no job"):
        board.cancel("nonsense", keep=True)


# -- the sink -------------------------------------------------------------------------------------------------------


def test_the_sink_sees_all_but_what_is_fleeting_and_its_data_is_told() -> None:
    seen: list[tuple[int, str]] = []

    def sink(event: Event) -> dict[str, Any]:
        seen.append((event.seq, event.kind))
        return {**event.data, "stored": True}

    board = Board(sink)
    job = board.submit(JOB)
    board.take()
    for kind in ("started", "progress", "preview", "image", "done"):
        board.tell(job, kind, {})  # type: ignore[arg-type]
    assert seen == [(2, "started"), (5, "image"), (6, "done")]
    assert [event.seq for event in board.events(job)] == [1, 2, 5, 6]
    assert board.events(job)[-1].data == {"stored": True}


def test_a_full_disk_fails_the_job_and_stops_its_work() -> None:
    def sink(event: Event) -> dict[str, Any]:
        if event.kind == "image":
            raise WorkspaceError("The disk is full.")
        return event.data

    board = Board(sink)
    job = board.submit(JOB)
    ticket = board.take()
    assert ticket is not None
    board.tell(job, "image", {})
    assert board.events(job)[-1].data == {"error": "The disk is full.", "type": "WorkspaceError"}
    assert ticket.stop_asked()


def test_the_end_is_told_even_if_it_cannot_be_written() -> None:
    def sink(event: Event) -> dict[str, Any]:
        raise WorkspaceError("The disk is full.")

    board = Board(sink)
    job = board.submit(JOB)
    board.take()
    board.tell(job, "done", {"images": 1})
    assert board.events(job)[-1].data == {"images": 1, "unrecorded": "The disk is full."}


# -- closing and forgetting -----------------------------------------------------------------------------------------


def test_closing_ends_what_waits_and_stops_what_runs() -> None:
    board = Board()
    running, waiting = board.submit(JOB), board.submit(JOB)
    ticket = board.take()
    assert ticket is not None
    board.close()
    assert kinds(board, waiting)[-1] == "interrupted" and ticket.stop_asked()
    board.fail(running, Cancelled("stopped"))
    assert kinds(board, running)[-1] == "interrupted"
    assert board.take() is None
    with pytest.raises(EngineError, match="closed"):
        board.submit(JOB)


def test_old_finished_jobs_are_forgotten_and_unfinished_ones_never() -> None:
    board = Board()
    waiting = board.submit(JOB)
    done = [board.submit(JOB) for _ in range(REMEMBERED_JOBS + 5)]
    for job in done:
        board.cancel(job, keep=True)
    board.submit(JOB)
    assert kinds(board, waiting) == ["queued"] and kinds(board, done[-1])
    with pytest.raises(NotFound):
        board.events(done[0])


def test_equal_work_has_one_digest() -> None:
    board = Board()
    tickets = []
    for seed in (1, 1, 2):
        board.submit({"kind": "generate", "recipes": [{"seed": seed}]})
        tickets.append(board.take())
    digests = [ticket.digest for ticket in tickets if ticket is not None]
    assert digests[0] == digests[1] != digests[2]


def test_one_job_is_told_as_the_queue_tells_it() -> None:
    board = Board()
    ids = [board.submit({"kind": "generate"}) for _ in range(3)]
    board.take()
    assert [board.standing(job_id) for job_id in ids] == board.queue()
    board.tell(ids[0], "done", {})
    assert board.standing(ids[0]) is None and board.standing("nonsense") is None
