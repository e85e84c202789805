"""A job on the board, and how it stands there."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.engine.events import Event

# Somebody waits in front of the page for what is interactive, and will soon ask for what is drawn ahead: pairs to
# label, cells one looks at. Each gives way to those before it.
Priority = Literal["interactive", "ahead", "background"]
RANK: dict[Priority, int] = {"interactive": 0, "ahead": 1, "background": 2}
Standing = Literal["running", "paused", "stopping", "waiting"]


@dataclass(frozen=True)
class Entry:
    """One job of the queue.

    position: 0 in hand, 1, 2, ... in the order in which those that wait will run.
    standing: "paused" while another runs between two of its steps, "stopping" from the wish to stop until its end.
    progress: data of its newest progress event, {} before the first.
    """

    id: str
    kind: str
    priority: Priority
    standing: Standing
    position: int
    progress: dict[str, Any]


class Ticket:
    """One job on the board. digest: the same for the same work, whatever the job's id.

    job: may carry "id", "digest" and "priority" of its own; without the last, generating is interactive and all else
    is in the background.
    """

    def __init__(self, id: str, job: Mapping[str, Any]) -> None:
        self.id = id
        self.job = dict(job)
        self.digest = str(self.job.pop("digest", None) or _digest(self.job))
        self.kind = str(self.job.get("kind"))
        self.priority: Priority = self.job.pop("priority", None) or default_priority(self.kind)
        self.events: list[Event] = []
        self.told = 0  # events numbered so far
        self.images = 0
        self.keep = True
        self.stop = threading.Event()
        self.over = False

    def gives_way_to(self, rival: Ticket) -> bool:
        """Whether another runs between two steps of this one."""
        return RANK[rival.priority] < RANK[self.priority]

    def stop_asked(self) -> bool:
        """Whether the work should end at its next step."""
        return self.stop.is_set()

    @property
    def is_done(self) -> bool:
        """Whether it has come to its end, and not failed or been broken off."""
        return self.over and self.events[-1].kind == "done"

    def progress(self) -> dict[str, Any]:
        """Data of the newest progress event, {} before the first."""
        return next((event.data for event in reversed(self.events) if event.kind == "progress"), {})


def default_priority(kind: str) -> Priority:
    """The class of a job that does not name one."""
    return "interactive" if kind == "generate" else "background"


def _digest(job: Mapping[str, Any]) -> str:
    work = {key: value for key, value in job.items() if key not in ("id", "priority")}
    return hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()
