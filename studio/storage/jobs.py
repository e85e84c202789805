"""The ledger: every job, written down before it starts."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row, func, insert, select, update

from studio.core.errors import NotFound
from studio.storage.database import Database
from studio.storage.schema import jobs

Status = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class JobRecord:
    """One row. number: rises with every job. payload: what the engine was asked for. error: why it did not finish.

    digest: the same for the same work. worker_died: it was running when the engine's process ended.
    retry_of: id of the job whose work it does again. last_seq: number of its last event, where that is known.
    """

    number: int
    id: str
    kind: str
    status: Status
    payload: dict[str, Any]
    digest: str
    error: str | None
    worker_died: bool
    created_at: datetime
    finished_at: datetime | None
    priority: str
    retry_of: str | None
    last_seq: int | None

    @property
    def over(self) -> bool:
        return self.status not in UNFINISHED


class Jobs:
    """The table of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        priority: str = "interactive",
        retry_of: str | None = None,
        id: str | None = None,
    ) -> JobRecord:
        """Write a job down as queued. It is on disk when this returns."""
        text = json.dumps(payload, sort_keys=True)
        row = {
            "id": id or uuid.uuid4().hex,
            "kind": kind,
            "status": "queued",
            "payload": text,
            "digest": hashlib.sha256(text.encode()).hexdigest(),
            "created_at": _now(),
            "priority": priority,
            "retry_of": retry_of,
        }
        with self._database.write() as connection:
            connection.execute(insert(jobs).values(row))
        return self.get(row["id"])

    def start(self, id: str) -> None:
        """Mark a queued job as running."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.status == "queued").values(status="running"))

    def finish(
        self,
        id: str,
        status: Status,
        error: str | None = None,
        *,
        worker_died: bool = False,
        last_seq: int | None = None,
    ) -> None:
        """Mark an unfinished job as over. One that is over stays as it is."""
        values = {
            "status": status,
            "error": error,
            "worker_died": worker_died,
            "finished_at": _now(),
            "last_seq": last_seq,
        }
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == id, jobs.c.status.in_(UNFINISHED)).values(values))

    def interrupt_unfinished(self, running: str, queued: str) -> int:
        """Mark whatever a dead program left unfinished as interrupted; give how many there were.

        running, queued: what to say of jobs that had begun, and of those that had not.
        """
        with self._database.write() as connection:
            left = 0
            for status, error in (("running", running), ("queued", queued)):
                values = {"status": "interrupted", "error": error, "finished_at": _now()}
                left += connection.execute(update(jobs).where(jobs.c.status == status).values(values)).rowcount
            return left

    def get(self, id: str) -> JobRecord:
        """Give one row. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no job {id[:60]!r}.")
        return _record(row)

    def find(self, name: str) -> JobRecord:
        """Give a job by its number or its id, as a user writes it. Raises NotFound."""
        if name.isascii() and name.isdigit() and len(name) < 19:
            with self._database.read() as connection:
                row = connection.execute(select(jobs).where(jobs.c.number == int(name))).one_or_none()
            if row is not None:
                return _record(row)
        return self.get(name)

    def unfinished(self) -> list[JobRecord]:
        """Give the jobs queued or running, oldest first."""
        query = select(jobs).where(jobs.c.status.in_(UNFINISHED)).order_by(jobs.c.number)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def page(self, limit: int, before: int | None = None) -> list[JobRecord]:
        """Give up to `limit` jobs, newest first. before: only those with a lower number."""
        query = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(jobs.c.number < before)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def interrupted(self, limit: int) -> list[JobRecord]:
        """Give up to `limit` interrupted jobs that no other has repeated, newest first."""
        again = jobs.alias()
        query = select(jobs).where(
            jobs.c.status == "interrupted", ~select(again.c.id).where(again.c.retry_of == jobs.c.id).exists()
        )
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query.order_by(jobs.c.number.desc()).limit(limit))]

    def worker_deaths(self) -> dict[str, int]:
        """Give digest -> how often that work ended the engine's process."""
        query = select(jobs.c.digest, func.count()).where(jobs.c.worker_died).group_by(jobs.c.digest)
        with self._database.read() as connection:
            return {digest: count for digest, count in connection.execute(query)}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _record(row: Row[Any]) -> JobRecord:
    return JobRecord(
        number=row.number,
        id=row.id,
        kind=row.kind,
        status=row.status,
        payload=json.loads(row.payload),
        digest=row.digest,
        error=row.error,
        worker_died=bool(row.worker_died),
        created_at=datetime.fromisoformat(row.created_at),
        finished_at=datetime.fromisoformat(row.finished_at) if row.finished_at else None,
        priority=row.priority,
        retry_of=row.retry_of,
        last_seq=row.last_seq,
    )
