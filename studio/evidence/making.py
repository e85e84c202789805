"""Edits that are made once: what an interrupted run has trained is there again, by the digest of its plan."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.services.edits.library import EditEntry
from studio.services.studio import Studio
from studio.storage.images import write_durably

NOTES = "seconds.json"  # beside the workspace's database


@dataclass(frozen=True)
class Made:
    """An edit of the workspace.

    seconds: the processor's, of making it, since they are nearly the same beside other work; None where that is not
    known any more.
    measures: the newest value of each curve of its training; none where that is not known.
    """

    entry: EditEntry
    seconds: float | None
    measures: Mapping[str, float] = field(default_factory=dict[str, float])


class Maker:
    """Makes edits of one kind, each once. The studio's engine is in this process.

    origin: what an edit's provenance calls the plan it was made by.
    start: queues the making of a plan; gives the job's id.
    settle: a plan as it is compared with those of edits that are there.
    """

    def __init__(
        self,
        studio: Studio,
        origin: str,
        start: Callable[[Mapping[str, Any]], str],
        settle: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self._studio, self._origin, self._start, self._settle = studio, origin, start, settle
        self._notes = _Notes(studio.settings.workspace / NOTES)

    def edit(self, plan: Mapping[str, Any]) -> Made:
        """The edit of a plan, made where it is not there. Raises what its making raises."""
        settled = self._settle(plan)
        digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode()).hexdigest()
        for entry in self._studio.edits.list():
            is_same = self._settle(entry.provenance.get(self._origin) or {}) == settled
            if is_same and not entry.problem and _is_whole(entry.provenance):
                return Made(entry, *self._notes.get(digest))
        measures: dict[str, float] = {}
        began = time.process_time()
        edits = finished(self._studio, self._start(plan), measures)
        seconds = round(time.process_time() - began, 1)
        self._notes.add(digest, seconds, measures)
        return Made(self._studio.edits.show(edits[-1]), seconds, measures)


def _is_whole(provenance: Mapping[str, Any]) -> bool:
    """Whether its training went to its end, or ended itself, or chose among its states, and was not stopped on the way.

    What was not trained is whole.
    """
    training = provenance.get("training")
    steps = training.get("steps") if isinstance(training, Mapping) else None
    is_at_end = steps is None or provenance.get("steps") == steps
    return is_at_end or bool(provenance.get("ended") or provenance.get("outcome"))


def finished(studio: Studio, job_id: str, measures: dict[str, float] | None = None) -> list[str]:
    """Wait for a job; give the edits that came of it. Raises EngineError for one that ended otherwise.

    measures: takes up the newest value of each curve.
    """
    edits: list[str] = []

    def note(event: Any) -> None:
        if event.kind == "edit":
            edits.append(event.data["edit"])
        elif event.kind == "measure" and measures is not None:
            measures.update(event.data["values"])

    studio.jobs.wait(job_id, note)
    return edits


class _Notes:
    """What an edit itself cannot say, by the digest of its plan: how long it took, and where its curves ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        # Earlier ones are seconds alone.
        self._notes = {key: value if isinstance(value, dict) else {"seconds": value} for key, value in stored.items()}

    def get(self, digest: str) -> tuple[float | None, dict[str, float]]:
        """Seconds, and measures."""
        note = self._notes.get(digest, {})
        return note.get("seconds"), note.get("measures", {})

    def add(self, digest: str, seconds: float, measures: Mapping[str, float]) -> None:
        self._notes[digest] = {"seconds": seconds, "measures": dict(measures)}
        write_durably(self._path, json.dumps(self._notes).encode())
