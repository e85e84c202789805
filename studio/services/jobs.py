"""Jobs of any kind: queued, followed, moved, stopped, found again in the ledger, and done once more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from studio.core.errors import BadInput, EngineError, NotFound
from studio.engine.backend import Backend
from studio.engine.board import NOT_WAITING, REMEMBERED_JOBS
from studio.engine.events import Event
from studio.engine.ticket import Priority, default_priority
from studio.engine.trouble import as_studio_error
from studio.services import queue
from studio.services.engine import StudioEngine
from studio.services.history import History
from studio.services.queue import QueueEntry
from studio.services.recording import Recorder
from studio.storage.jobs import ENDED_EARLY, JobRecord, Jobs
from studio.storage.unreadable import Unreadable

MAX_JOBS_LISTED = 200
LOOKED_AT = 20  # newest jobs of the ledger, among which those that ended early are sought

Retry = Callable[[JobRecord], str]
OnEvent = Callable[[Event], object]


class JobService:
    """The queue and the ledger of an open studio. Every method may be called from any thread.

    retries: kind -> how the work of a finished job of it is queued once more: given the job, gives the new one's id.
    otherwise: the same for every kind that is not in it.
    """

    def __init__(self, ledger: Jobs, engine: StudioEngine, recorder: Recorder, history: History) -> None:
        self.retries: dict[str, Retry] = {}
        self.otherwise: Retry = self._submit_again
        self._ledger = ledger
        self._engine = engine
        self._recorder = recorder
        self._history = history
        self._enqueued: dict[str, JobRecord] = {}  # all that wait or run, and some that are over
        self._enqueued_limit = 2 * REMEMBERED_JOBS
        self._lock = threading.Lock()

    def submit(
        self,
        payload: Mapping[str, Any],
        priority: Priority | None = None,
        *,
        retry_of: str | None = None,
        edits: Mapping[str, str] | None = None,
        places: Mapping[str, Any] | None = None,
        written: Callable[[str], None] = lambda job_id: None,
    ) -> str:
        """Queue a job, unchecked, for the services behind each kind; give its id. It is in the ledger first.

        payload: {"kind": ..., ...}, plain values; a "what" in it names the work in the queue.
        priority: "background" gives way to interactive jobs after every evaluation of the network; None: by the kind.
        retry_of: the job whose work it does again.
        edits: name of each edit the job uses -> its file. Not kept in the ledger, for a workspace may be moved.
        places: what else the engine is told and the ledger is not, such as where something is.
        written: called with the job's id when it is in the ledger, before the engine has it.
        """
        kind = str(payload["kind"])
        priority = priority or default_priority(kind)
        backend = self._engine.start()
        job = self._ledger.add(kind, payload, priority=priority, retry_of=retry_of)
        self._remember(job, backend)
        try:
            written(job.id)
            backend.submit(
                {
                    **payload,
                    **(places or {}),
                    "edits": dict(edits or {}),
                    "id": job.id,
                    "digest": job.digest,
                    "priority": priority,
                }
            )
        except Exception as error:
            # Else it would wait in the ledger for ever: no engine has it.
            self._recorder.give_up(job.id, as_studio_error(error))
            raise
        return job.id

    def retry(self, job_id: str) -> str:
        """Queue the work of a finished job once more, as a new job that names the old one; give its id.

        Raises NotFound, and BadInput for a job that is not over or that no engine could do any more.
        """
        job = self.get(job_id)
        if not job.over:
            raise BadInput("This job is not over yet: stop it before running it again.")
        return self.retries.get(job.kind, self.otherwise)(job)

    def _submit_again(self, job: JobRecord) -> str:
        return self.submit(job.payload, job.priority, retry_of=job.id)  # type: ignore[arg-type]

    def stop(self, job_id: str, keep: bool = True) -> None:
        """Ask a job to stop; effective within one step. keep=False also moves its finished pictures into the bin.

        Does nothing to a job that is over. Raises NotFound.
        """
        try:
            if (backend := self._engine.running()) is not None:
                return backend.cancel(job_id, keep)
        except NotFound:
            pass
        self.get(job_id)  # over, since it is of an earlier run; unknown ids still raise

    def dismiss(self, job_id: str) -> None:
        """Clear a job from those that ended early (`ended_early`); it stays in the ledger, with all it made.

        Raises NotFound, and BadInput for a job that is not over.
        """
        if not self.get(job_id).over:
            raise BadInput("This job is not over yet: stop it before clearing it from the list.")
        self._ledger.dismiss([job_id])

    def dismiss_all(self) -> None:
        """Clear all of them, however long ago they ended."""
        self._ledger.dismiss([job.id for job in self.ended_early()])  # an end may not be in the ledger yet
        self._ledger.dismiss_ended_early()

    # -- followed ---------------------------------------------------------------------------------------------------

    def queue(self) -> list[QueueEntry]:
        """What is in hand and what waits, in the order it will run."""
        backend = self._engine.running()
        entries = backend.queue() if backend is not None else []
        return [queue.entry(entry, self._enqueued.get(entry.id) or self.get(entry.id)) for entry in entries]

    def standing(self, job_id: str) -> QueueEntry | None:
        """One job as `queue` tells it; None for one that neither runs nor waits."""
        backend = self._engine.running()
        entry = backend.standing(job_id) if backend is not None else None
        return None if entry is None else queue.entry(entry, self._enqueued.get(job_id) or self.get(job_id))

    def move(self, job_id: str, before_id: str | None = None) -> None:
        """Let a waiting job run right before another of its class, or last of its class.

        before_id: of the other; None for last.
        Raises NotFound for an unknown id, BadInput if one of them is not waiting or they are of different classes.
        """
        try:
            if (backend := self._engine.running()) is not None:
                return backend.move(job_id, before_id)
        except NotFound:
            pass
        self.get(job_id)  # unknown ids still raise
        if before_id is not None:
            self.get(before_id)
        raise BadInput(NOT_WAITING)

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        """Give a job's events numbered above `since`, waiting up to `wait_s` for one. The last is `final`.

        Of a job from before the studio was last opened, what the ledger and the history tell. Raises NotFound.
        """
        backend = self._engine.running()
        if backend is not None:
            try:
                return backend.events(job_id, since, wait_s)
            except NotFound:
                pass  # from an earlier run of the studio, or long ago
        return [event for event in self._history.events(self.get(job_id)) if event.seq > since]

    def wait(self, job_id: str, on_event: OnEvent | None = None) -> None:
        """Wait until a job is done.

        on_event: called with each Event as it comes.
        Raises NotFound, EngineError if it ends in any other way.
        """
        since = 0
        while True:
            for event in self.events(job_id, since, wait_s=1.0):
                since = event.seq
                if on_event is not None:
                    on_event(event)
                if event.kind == "done":
                    return
                if event.final:
                    raise EngineError(event.data.get("error", "The job was stopped."))

    # -- the ledger -------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobRecord:
        """Give the ledger's row of a job; its end also where the disk has not taken it yet.

        Raises NotFound, WorkspaceError if it cannot be read.
        """
        return self._recorder.as_told(lambda: [self._ledger.get(job_id)])[0]

    def find(self, name: str) -> JobRecord:
        """Give a job by its number or its id, as a user writes it. Raises as `get`."""
        return self._recorder.as_told(lambda: [self._ledger.find(name)])[0]

    def unfinished(self) -> list[JobRecord]:
        """Jobs queued or running, oldest first: what a reloaded page attaches to again."""
        return [job for job in self._recorder.as_told(self._ledger.unfinished) if not job.over]

    def oldest_unfinished(self, kind: str, priority: Priority) -> JobRecord | None:
        """The first job of one kind and class that is queued or running."""
        oldest = self._recorder.as_told(
            lambda: [job] if (job := self._ledger.oldest_unfinished(kind, priority)) else []
        )
        if oldest and oldest[0].over:  # its end is not in the ledger yet: one of those behind it is the first
            same = (job for job in self.unfinished() if (job.kind, job.priority) == (kind, priority))
            return next(same, None)
        return oldest[0] if oldest else None

    def newest(self, limit: int = 50, before_number: int | None = None) -> list[JobRecord]:
        """The ledger, newest first.

        before_number: only jobs with a lower number.
        Raises BadInput for a limit out of range.
        """
        return self.page(limit, before_number)[0]

    def page(self, limit: int = 50, before_number: int | None = None) -> tuple[list[JobRecord], list[Unreadable]]:
        """The same, and the rows of that page that cannot be read, which count among its `limit`."""
        if not 1 <= limit <= MAX_JOBS_LISTED:
            raise BadInput(f"A page of the ledger has 1 to {MAX_JOBS_LISTED} jobs, not {limit}.", field="limit")
        unreadable: list[Unreadable] = []

        def read() -> list[JobRecord]:
            records, broken = self._ledger.readable_page(limit, before_number)
            unreadable.extend(broken)
            return records

        return self._recorder.as_told(read), unreadable

    def ended_early(self) -> list[JobRecord]:
        """Of the newest jobs those that failed or were stopped, and were not run again or dismissed, newest first."""
        newest = self.newest(LOOKED_AT)
        again = {job.retry_of for job in newest}
        return [job for job in newest if job.status in ENDED_EARLY and not job.dismissed and job.id not in again]

    def _remember(self, job: JobRecord, backend: Backend) -> None:
        """Keep what the queue tells of a job at hand for as long as it is in the queue."""
        with self._lock:
            self._enqueued[job.id] = job
            if len(self._enqueued) <= self._enqueued_limit:
                return
            needed = {entry.id for entry in backend.queue()} | {job.id}
            self._enqueued = {id: record for id, record in self._enqueued.items() if id in needed}
            self._enqueued_limit = 2 * (len(self._enqueued) + REMEMBERED_JOBS)  # so that this is seldom done
