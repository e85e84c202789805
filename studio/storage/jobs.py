"""The ledger: every job, written down before it starts."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Row, func, insert, select, update

from studio.core.errors import NotFound, WorkspaceError
from studio.storage.database import Database
from studio.storage.packing import pack, unpack
from studio.storage.schema import jobs
from studio.storage.unreadable import BROKEN, Reader, Unreadable, number_or_none, problem, text, text_or_none

Status = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
UNFINISHED = ("queued", "running")
ENDED_EARLY = ("failed", "cancelled", "interrupted")
PRIORITIES = ("interactive", "ahead", "background")
MAX_WHAT_CHARS = 80
_COLUMNS = [column for column in jobs.c if column.name != "payload"]  # which can be long, and is seldom asked for


@dataclass(frozen=True)
class JobRecord:
    """One row.

    number: rises with every job.
    id: as the rest of the program and its files know it.
    kind: names the work, as "generate".
    status: how far it came.
    description: its work in a few words.
    digest: the same for the same work.
    error: why it did not finish.
    worker_died: it was running when the engine's process ended.
    created_at, finished_at: when it was queued and when it ended, in UTC.
    priority: "interactive" or "background".
    retry_of: id of the job whose work it does again.
    last_seq: number of its last event, where that is known.
    dismissed: it ended early, and was cleared from the list of those.
    read_payload: reads what it is to do, which may be large.
    """

    number: int
    id: str
    kind: str
    status: Status
    description: str
    digest: str
    error: str | None
    worker_died: bool
    created_at: datetime
    finished_at: datetime | None
    priority: str
    retry_of: str | None
    last_seq: int | None
    dismissed: bool
    read_payload: Callable[[], dict[str, Any]] = field(repr=False, compare=False)

    @property
    def payload(self) -> dict[str, Any]:
        """What the engine was asked for: read from the ledger now. Raises WorkspaceError if it cannot be."""
        return self.read_payload()

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
        created_at, packed = datetime.now(UTC), pack(payload)
        job_id, description, digest = id or uuid.uuid4().hex, describe(payload), digest_of(packed)
        row = {
            "id": job_id,
            "kind": kind,
            "status": "queued",
            "payload": packed,
            "what": description,
            "digest": digest,
            "created_at": created_at.isoformat(),
            "priority": priority,
            "retry_of": retry_of,
        }
        with self._database.write() as connection:
            key = connection.execute(insert(jobs).values(row)).inserted_primary_key
        # Put together here: to read the row back could fail, and a job would wait in the ledger that nobody knows of.
        return JobRecord(
            number=int(key[0]) if key else 0,
            id=job_id,
            kind=kind,
            status="queued",
            description=description,
            digest=digest,
            error=None,
            worker_died=False,
            created_at=created_at,
            finished_at=None,
            priority=priority,
            retry_of=retry_of,
            last_seq=None,
            dismissed=False,
            read_payload=lambda: self._payload(job_id),
        )

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
            "finished_at": _timestamp(),
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
                values = {"status": "interrupted", "error": error, "finished_at": _timestamp()}
                left += connection.execute(update(jobs).where(jobs.c.status == status).values(values)).rowcount
            return left

    def dismiss(self, ids: Sequence[str]) -> None:
        """Clear jobs from the list of those that ended early. Nothing else of them changes."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(dismissed=True))

    def dismiss_ended_early(self) -> None:
        """The same for all that did."""
        listed = (jobs.c.status.in_(ENDED_EARLY), jobs.c.dismissed.is_(False))
        with self._database.write() as connection:
            connection.execute(update(jobs).where(*listed).values(dismissed=True))

    def get(self, id: str) -> JobRecord:
        """Give one row. Raises NotFound, WorkspaceError if it cannot be read."""
        record = self._record_where(jobs.c.id == id)
        if record is None:
            raise NotFound(f"There is no job {id[:60]!r}.")
        return record

    def find(self, name: str) -> JobRecord:
        """Give a job by its number or its id, as a user writes it. Raises as `get`."""
        if name.isascii() and name.isdigit() and len(name) < 19:
            record = self._record_where(jobs.c.number == int(name))
            if record is not None:
                return record
        return self.get(name)

    def unfinished(self) -> list[JobRecord]:
        """Give the jobs queued or running, oldest first; not those that cannot be read."""
        return self._many(select(*_COLUMNS).where(jobs.c.status.in_(UNFINISHED)).order_by(jobs.c.number))[0]

    def oldest_unfinished(self, kind: str, priority: str) -> JobRecord | None:
        """Give the first of those of one kind and class."""
        query = select(*_COLUMNS).where(jobs.c.status.in_(UNFINISHED), jobs.c.kind == kind, jobs.c.priority == priority)
        few = self._many(query.order_by(jobs.c.number).limit(8))[0]  # and not one: it may be one that cannot be read
        return next(iter(few), None)

    def page(self, limit: int, before_number: int | None = None) -> list[JobRecord]:
        """Give up to `limit` jobs, newest first.

        before_number: only those with a lower number.
        """
        return self.readable_page(limit, before_number)[0]

    def readable_page(self, limit: int, before_number: int | None = None) -> tuple[list[JobRecord], list[Unreadable]]:
        """The same, and the rows of that page that cannot be read, which count among its `limit`."""
        query = select(*_COLUMNS).order_by(jobs.c.number.desc()).limit(limit)
        return self._many(query if before_number is None else query.where(jobs.c.number < before_number))

    def worker_deaths(self) -> dict[str, int]:
        """Give digest -> how often that work ended the engine's process."""
        query = select(jobs.c.digest, func.count()).where(jobs.c.worker_died).group_by(jobs.c.digest)
        with self._database.read() as connection:
            return {digest: count for digest, count in connection.execute(query)}

    def _record_where(self, condition: Any) -> JobRecord | None:
        with self._database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(condition)).one_or_none()
        return None if row is None else self._reader().one(row)

    def _many(self, query: Any) -> tuple[list[JobRecord], list[Unreadable]]:
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return self._reader().many(rows)

    def _reader(self) -> Reader[JobRecord]:
        return Reader("Job", "ledger", "number", self._record)

    def _payload(self, id: str) -> dict[str, Any]:
        with self._database.read() as connection:
            packed = connection.execute(select(jobs.c.payload).where(jobs.c.id == id)).scalar_one()
        try:
            return unpack(packed)
        except BROKEN as error:
            sentence = f"What the job {id} was asked for cannot be read: {problem(error)}."
            raise WorkspaceError(sentence, "Set it up anew.") from None

    def _record(self, row: Row[Any]) -> JobRecord:
        """Read a row. Raises what `unreadable.BROKEN` names."""
        status, priority, id = text(row.status, "status"), text(row.priority, "priority"), text(row.id, "id")
        if status not in get_args(Status):
            raise ValueError(f"its status {status!r} is not known")
        if priority not in PRIORITIES:
            raise ValueError(f"its priority {priority!r} is not known")
        return JobRecord(
            number=row.number,
            id=id,
            kind=text(row.kind, "kind"),
            status=status,  # type: ignore[arg-type]  # one of them, as was just seen
            description=text(row.what, "description") or text(row.kind, "kind"),
            digest=text(row.digest, "digest"),
            error=text_or_none(row.error, "error"),
            worker_died=bool(row.worker_died),
            created_at=datetime.fromisoformat(text(row.created_at, "time")),
            finished_at=datetime.fromisoformat(text(row.finished_at, "time")) if row.finished_at else None,
            priority=priority,
            retry_of=text_or_none(row.retry_of, "retry"),
            last_seq=number_or_none(row.last_seq, "last event"),
            dismissed=bool(row.dismissed),
            read_payload=lambda: self._payload(id),
        )


def describe(payload: Mapping[str, Any]) -> str:
    """Say in a few words what a job does: its own "what" if it has one, else its pictures or its kind."""
    words = payload.get("what")
    if not isinstance(words, str):
        recipes = payload.get("recipes")
        if not recipes:
            return str(payload.get("kind", "work"))
        count = f"{len(recipes)} pictures" if len(recipes) > 1 else "1 picture"
        words = f"{count}: {recipes[0].get('prompt') or 'no prompt'}"
    words = " ".join(words.split())
    return words if len(words) <= MAX_WHAT_CHARS else words[: MAX_WHAT_CHARS - 3] + "..."


def digest_of(packed: str) -> str:
    """The digest of a payload as it is kept: equal work, equal digests."""
    return hashlib.sha256(packed.encode()).hexdigest()


def _timestamp() -> str:
    return datetime.now(UTC).isoformat()
