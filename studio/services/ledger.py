"""The ledger from outside: what a studio that another process runs has done and is doing. To read, never to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from studio.core.settings import Settings
from studio.services import trainings
from studio.storage.database import Database
from studio.storage.generations import Generations
from studio.storage.jobs import JobRecord, Jobs
from studio.storage.unreadable import Unreadable
from studio.storage.workspace import DATABASE_NAME

POLL_S = 0.5


class Ledger:
    """A workspace's jobs, read beside its owner; a context manager. Raises NotFound, WorkspaceError when opened."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database.reader(settings.workspace.absolute() / DATABASE_NAME)
        self._jobs = Jobs(self._database)
        self._generations = Generations(self._database)
        self._root = settings.workspace.absolute()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def page(self, limit: int) -> list[dict[str, Any]]:
        """The newest jobs, newest first, as plain values."""
        return listed(*self._jobs.readable_page(limit))

    def show(self, name: str) -> dict[str, Any]:
        """One job, by number or id, with its pictures and what it was asked for. Raises NotFound."""
        job = self._jobs.find(name)
        payload = job.payload
        return {**self._job_state(job, payload), "payload": payload}

    def watch(self, name: str, on_change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Wait until a job is over and give it as `show` does.

        on_change: called whenever it has changed, with the same but what it was asked for.

        Raises NotFound. A job whose owner was killed is over only once a studio has opened the workspace again.
        """
        payload = self._jobs.find(name).payload
        last: dict[str, Any] | None = None
        while True:
            job = self._jobs.find(name)
            state = self._job_state(job, payload)
            if state != last:
                on_change(state)
            if job.over:
                return self.show(name)
            last = state
            time.sleep(POLL_S)

    def _job_state(self, job: JobRecord, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A job with its pictures and, while it waits, the numbers of the jobs in hand; of a training also how far it
        has come, as its newest measures have it.
        """
        images = self._root / "images"
        paths = [str(images / row.image[:2] / f"{row.image}.png") for row in self._generations.of_job(job.id)]
        training = {"training": trainings.progress(self._root, payload)} if job.kind == trainings.KIND else {}
        unfinished = self._jobs.unfinished() if job.status == "queued" else []
        in_hand = [open_job.number for open_job in unfinished if open_job.status == "running"]
        return {**plain(job), "pictures": paths, "in_hand": in_hand, **training}


def plain(job: JobRecord) -> dict[str, Any]:
    """A row of the ledger without what was asked for, as JSON has it."""
    return {
        "number": job.number,
        "id": job.id,
        "kind": job.kind,
        "what": job.description,
        "status": job.status,
        "over": job.over,
        "priority": job.priority,
        "error": job.error,
        "retry_of": job.retry_of,
        "created_at": job.created_at.isoformat(),
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


def listed(jobs: Sequence[JobRecord], unreadable: Sequence[Unreadable]) -> list[dict[str, Any]]:
    """A page of the ledger as JSON has it, newest first. A row that cannot be read stands in its place, and says so."""
    rows = [plain(job) for job in jobs] + [_unreadable(row) for row in unreadable]
    return sorted(rows, key=lambda row: -row["number"])


def _unreadable(row: Unreadable) -> dict[str, Any]:
    facts = {"number": row.number, "status": "unreadable", "over": True, "error": f"It cannot be read: {row.problem}."}
    missing = ("id", "kind", "what", "priority", "retry_of", "created_at", "finished_at")
    return {**dict.fromkeys(missing), "what": "A job that cannot be read", **facts}
