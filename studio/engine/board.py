"""The board: which jobs there are, what each has told so far, and who has asked for what to stop.

Both backends hold one. It decides what a job's last event is; the backends only run jobs and report.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from studio.core.errors import BadInput, Cancelled, EngineError, NotFound, StudioError
from studio.engine.events import FLEETING, Event, EventKind
from studio.engine.ticket import Entry, Priority, Standing, Ticket
from studio.engine.trouble import as_studio_error

# Called with an event before it is told; what it returns is told in place of the event's data. It may raise
# StudioError (disk full), which fails the job. Not called for what is fleeting.
Sink = Callable[[Event], dict[str, Any]]

REMEMBERED_JOBS = 200  # logs of finished jobs; the ledger keeps the rest for ever
NOT_WAITING = "Only a job that is waiting can be moved, and only before one that is waiting."
CLOSED = "The studio was closed before this job was done."


class Board:
    """Thread-safe. Jobs are in the order of their classes, and within one as submitted unless moved.

    At most one of each class is in hand, the more urgent between two steps of the other.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        # Two locks, always taken in this order. `_telling` is held while the sink writes to disk, so that a job's
        # events are stored in the order they are numbered; readers and `submit` only need `_changed`, never held for
        # longer than a list operation, so a slow disk does not freeze the page.
        self._telling = threading.RLock()
        self._changed = threading.Condition()
        self._tickets: dict[str, Ticket] = {}
        self._queue: list[Ticket] = []  # in the order they will run, by classes
        self._in_hand: list[Ticket] = []  # the last is the one that runs
        self._closed = False

    def submit(self, job: Mapping[str, Any]) -> str:
        """Queue a job; give its id. Raises EngineError once closed."""
        ticket = Ticket(str(job.get("id") or uuid.uuid4().hex), job)
        with self._changed:
            if self._closed:
                raise EngineError("The engine is closed and takes no more jobs.")
            if ticket.id in self._tickets:
                raise ValueError(f"there is a job {ticket.id} already")
            self._forget_old()
            self._tickets[ticket.id] = ticket
            in_hand = [
                running for running in self._in_hand if not running.gives_way_to(ticket)
            ]  # else it does not wait for it
            self._note(ticket, "queued", {"ahead": self._line_up(ticket) + len(in_hand)})
            self._changed.notify_all()
        return ticket.id

    def take(self, block: bool = True, between: Ticket | None = None) -> Ticket | None:
        """Give the next job to run; None when closed, or (not blocking) without one.

        between: only one that this job, which is in hand, gives way to.
        """
        with self._changed:
            while True:
                if self._closed:
                    return None
                if self._queue and (between is None or between.gives_way_to(self._queue[0])):
                    ticket = self._queue.pop(0)
                    self._in_hand.append(ticket)
                    return ticket
                if not block:
                    return None
                self._changed.wait()

    def put_back(self, job_id: str) -> None:
        """Let a job that was taken and never begun wait again, before all others of its class."""
        with self._changed:
            ticket = self._tickets[job_id]
            self._in_hand.remove(ticket)
            if not ticket.stop_asked():
                self._line_up(ticket, first=True)
                return
        self.fail(job_id, Cancelled("The job was stopped."))  # asked to in the meantime

    def move(self, job_id: str, successor_id: str | None = None) -> None:
        """Let a waiting job run right before another one, or after all others of its class.

        Raises NotFound for unknown ids, BadInput if either does not wait or they are of different classes.
        """
        with self._changed:
            ticket, successor = self._find(job_id), None if successor_id is None else self._find(successor_id)
            for either in (ticket, successor):
                if either is not None and either not in self._queue:
                    raise BadInput(NOT_WAITING)
            if successor is ticket:
                return
            if successor is not None and successor.priority != ticket.priority:
                raise BadInput(
                    "Pictures that somebody waits for always go before others, and those before work in the background."
                )
            self._queue.remove(ticket)
            if successor is None:
                self._line_up(ticket)
            else:
                self._queue.insert(self._queue.index(successor), ticket)

    def queue(self) -> list[Entry]:
        """What is in hand and what waits, in the order it will run."""
        with self._changed:
            return [_entry(ticket, 0, self._standing(ticket)) for ticket in self._in_hand] + [
                _entry(ticket, place + 1, "waiting") for place, ticket in enumerate(self._queue)
            ]

    def standing(self, job_id: str) -> Entry | None:
        """One job as `queue` tells it; None for one that is unknown or over."""
        with self._changed:
            ticket = self._tickets.get(job_id)
            if ticket in self._in_hand:
                return _entry(ticket, 0, self._standing(ticket))
            return _entry(ticket, self._queue.index(ticket) + 1, "waiting") if ticket in self._queue else None

    def tell(self, job_id: str, kind: EventKind, data: dict[str, Any]) -> None:
        """Record what happened to a job. Ignored after its last event."""
        with self._telling:
            ticket = self._tickets[job_id]
            if ticket.over:
                return
            if kind == "edit" and not data.get("final") and self._is_unwanted(ticket):
                return
            if kind == "done" and ticket.stop_asked() and not ticket.keep:
                kind, data = "cancelled", {}  # asked to discard, and finished before it was heard
            if kind == "image":
                ticket.images += 1
            if kind == "cancelled":
                data = {"images": ticket.images if ticket.keep else 0, "keep": ticket.keep}
            final = Event(0, job_id, kind).final
            if self._sink is not None and kind not in FLEETING:
                try:
                    data = self._sink(Event(ticket.told + 1, job_id, kind, data))
                except Exception as error:
                    if not final:
                        ticket.stop.set()
                        self.tell(job_id, "failed", _error(as_studio_error(error)))
                        return
                    # The last event is told even when it could not be written: a page must not wait for ever.
                    data = {**data, "unrecorded": str(as_studio_error(error))}
            with self._changed:
                self._note(ticket, kind, data)
                if final:
                    ticket.over = True
                    if ticket in self._in_hand:
                        self._in_hand.remove(ticket)
                self._changed.notify_all()

    def fail(self, job_id: str, error: BaseException) -> None:
        """Tell the end of a job that raised. Cancelled is the user's stop, or ours when closing."""
        if isinstance(error, Cancelled):
            ticket = self._tickets[job_id]
            if self._closed and ticket.keep:
                self.tell(job_id, "interrupted", {"error": CLOSED, "type": "Cancelled"})
            else:
                self.tell(job_id, "cancelled", {})
        else:
            self.tell(job_id, "failed", _error(as_studio_error(error)))

    def cancel(self, job_id: str, keep: bool) -> bool:
        """Ask a job to stop. Gives whether it is running, so that whoever runs it can be told. Raises NotFound."""
        with self._changed:
            ticket = self._find(job_id)
            if ticket.over:
                return False
            ticket.keep = ticket.keep and keep
            ticket.stop.set()
            waiting = ticket in self._queue
            if waiting:
                self._queue.remove(ticket)
        if waiting:
            self.tell(job_id, "cancelled", {})
        return not waiting

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        """Give what was told after `since`, waiting up to `wait_s` for it. Raises NotFound."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            ticket = self._find(job_id)
            while ticket.told <= since and not ticket.over:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return [event for event in ticket.events if event.seq > since]

    def waiting(self) -> int:
        """How many jobs are queued."""
        with self._changed:
            return len(self._queue)

    def running(self) -> str | None:
        """The id of the job that runs."""
        with self._changed:
            return self._in_hand[-1].id if self._in_hand else None

    def close(self) -> None:
        """Take no more; end what is queued, ask what runs to stop."""
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            for ticket in self._in_hand:
                ticket.stop.set()
            self._changed.notify_all()
        for ticket in left:
            self.tell(ticket.id, "interrupted", {"error": CLOSED, "type": "Cancelled"})

    def _is_unwanted(self, ticket: Ticket) -> bool:
        """Whether nobody asked for what a job has half done: it is to be discarded, or the studio closes."""
        return ticket.stop_asked() and (not ticket.keep or self._closed)

    def _find(self, job_id: str) -> Ticket:
        ticket = self._tickets.get(job_id)
        if ticket is None:
            raise NotFound(f"There is no job {job_id[:60]!r}.")
        return ticket

    def _line_up(self, ticket: Ticket, first: bool = False) -> int:
        """Put a ticket into the queue, last of its class or first. Gives how many are before it."""
        passed_classes = {ticket.priority} if not first else set[Priority]()
        place = sum(ticket.gives_way_to(waiting) or waiting.priority in passed_classes for waiting in self._queue)
        self._queue.insert(place, ticket)
        return place

    def _standing(self, ticket: Ticket) -> Standing:
        if ticket.stop_asked():
            return "stopping"
        return "running" if ticket is self._in_hand[-1] else "paused"

    def _note(self, ticket: Ticket, kind: EventKind, data: dict[str, Any]) -> None:
        if kind in FLEETING or Event(0, "", kind).final:
            superseded = {kind} if kind in FLEETING else FLEETING
            ticket.events = [event for event in ticket.events if event.kind not in superseded]
        ticket.told += 1
        ticket.events.append(Event(ticket.told, ticket.id, kind, data))

    def _forget_old(self) -> None:
        over = [ticket.id for ticket in self._tickets.values() if ticket.over]
        for id in over[: max(0, len(over) - REMEMBERED_JOBS)]:
            del self._tickets[id]


def _entry(ticket: Ticket, position: int, standing: Standing) -> Entry:
    return Entry(ticket.id, ticket.kind, ticket.priority, standing, position, ticket.progress())


def _error(error: StudioError) -> dict[str, Any]:
    return {"error": str(error), "type": type(error).__name__}
