"""The board: which jobs there are, what each has told so far, and who has asked for what to stop.

Both backends hold one. It decides what a job's last event is; the backends only run jobs and report.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from studio.core.errors import Cancelled, EngineError, NotFound, StudioError
from studio.engine.events import FLEETING, Event, Kind
from studio.engine.trouble import as_studio_error

# Called with (job id, kind, data) before an event is told; what it returns is told in place of data. It may raise
# StudioError (disk full), which fails the job. Not called for what is fleeting.
Sink = Callable[[str, str, dict[str, Any]], dict[str, Any]]

REMEMBERED_JOBS = 200  # logs of finished jobs; the ledger keeps the rest for ever
CLOSED = "The studio was closed before this job was done."


class Ticket:
    """One job on the board. digest: the same for the same work, whatever the job's id."""

    def __init__(self, id: str, job: Mapping[str, Any]) -> None:
        self.id = id
        self.job = dict(job)
        self.digest = str(self.job.pop("digest", None) or _digest(self.job))
        self.events: list[Event] = []
        self.told = 0  # events numbered so far
        self.images = 0
        self.keep = True
        self.stop = threading.Event()
        self.over = False

    def stop_asked(self) -> bool:
        """Whether the work should end at its next step."""
        return self.stop.is_set()


class Board:
    """Thread-safe. Jobs run one at a time in the order submitted."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        # Two locks, always taken in this order. `_telling` is held while the sink writes to disk, so that a job's
        # events are stored in the order they are numbered; readers and `submit` only need `_changed`, never held for
        # longer than a list operation, so a slow disk does not freeze the page.
        self._telling = threading.RLock()
        self._changed = threading.Condition()
        self._tickets: dict[str, Ticket] = {}
        self._queue: deque[Ticket] = deque()
        self._running: Ticket | None = None
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
            ahead = len(self._queue) + (self._running is not None)
            self._note(ticket, "queued", {"ahead": ahead})
            self._queue.append(ticket)
            self._changed.notify_all()
        return ticket.id

    def take(self, block: bool = True) -> Ticket | None:
        """Give the next job to run; None when closed, or (not blocking) when there is none."""
        with self._changed:
            while not self._queue and not self._closed and block:
                self._changed.wait()
            if self._closed or not self._queue:
                return None
            self._running = self._queue.popleft()
            return self._running

    def tell(self, job_id: str, kind: Kind, data: dict[str, Any]) -> None:
        """Record what happened to a job. Ignored after its last event."""
        with self._telling:
            ticket = self._tickets[job_id]
            if ticket.over:
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
                    data = self._sink(job_id, kind, data)
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
                    if self._running is ticket:
                        self._running = None
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
        """The id of the job in hand."""
        with self._changed:
            return self._running.id if self._running else None

    def close(self) -> None:
        """Take no more; end what is queued, ask what runs to stop."""
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            if self._running is not None:
                self._running.stop.set()
            self._changed.notify_all()
        for ticket in left:
            self.tell(ticket.id, "interrupted", {"error": CLOSED, "type": "Cancelled"})

    def _find(self, job_id: str) -> Ticket:
        ticket = self._tickets.get(job_id)
        if ticket is None:
            raise NotFound(f"There is no job {job_id[:60]!r}.")
        return ticket

    def _note(self, ticket: Ticket, kind: Kind, data: dict[str, Any]) -> None:
        if kind in FLEETING or Event(0, "", kind).final:
            superseded = {kind} if kind in FLEETING else FLEETING
            ticket.events = [event for event in ticket.events if event.kind not in superseded]
        ticket.told += 1
        ticket.events.append(Event(ticket.told, ticket.id, kind, data))

    def _forget_old(self) -> None:
        over = [ticket.id for ticket in self._tickets.values() if ticket.over]
        for id in over[: max(0, len(over) - REMEMBERED_JOBS)]:
            del self._tickets[id]


def _digest(job: Mapping[str, Any]) -> str:
    work = {key: value for key, value in job.items() if key != "id"}
    return hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()


def _error(error: StudioError) -> dict[str, Any]:
    return {"error": str(error), "type": type(error).__name__}
