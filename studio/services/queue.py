"""The queue as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studio.engine.ticket import Entry, Priority, Standing
from studio.storage.jobs import JobRecord

CLOSED_RUNNING = "The studio was closed while this job was running."
CLOSED_QUEUED = "The studio was closed before this job began."


@dataclass(frozen=True)
class QueueEntry:
    """One job in hand or waiting.

    position: 0 in hand, 1, 2, ... in the order in which those that wait will run.
    kind: names the work, as "generate".
    description: the work in a few words.
    state: "paused" while an interactive job runs in the middle of it, "stopping" from the wish to stop until its end.
    priority: "background" gives way to "interactive".
    progress: 0..1, None while nothing is known.
    left_s: an estimate of the seconds left, None while nothing is known.
    created_at: when it was queued, in UTC.
    retry_of: the job whose work it does again.
    """

    job_id: str
    position: int
    kind: str
    description: str
    state: Standing
    priority: Priority
    progress: float | None
    left_s: float | None
    created_at: datetime
    retry_of: str | None


def entry(standing: Entry, job: JobRecord) -> QueueEntry:
    """Put together what the engine and the ledger know of a job."""
    return QueueEntry(
        job_id=job.id,
        position=standing.position,
        kind=job.kind,
        description=job.description,
        state=standing.standing,
        priority=standing.priority,
        progress=_fraction(standing.progress),
        left_s=standing.progress.get("left_s"),
        created_at=job.created_at,
        retry_of=job.retry_of,
    )


def _fraction(progress: Mapping[str, Any]) -> float | None:
    """How much of a job is done, 0..1: what its newest progress says, or the share of its steps."""
    if "done" in progress:
        return progress["done"]
    return progress["step"] / progress["steps"] if progress.get("steps") else None
