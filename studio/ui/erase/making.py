"""How far an erasure is, by the events of its jobs: what it is at, its numbers, its edit, its pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.core.errors import NotFound
from studio.training.erase.plan import INSTANT
from studio.ui.components.curves import job as curves

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio
    from studio.ui.erase.board import Trial


@dataclass(frozen=True)
class Making:
    """How far an erasure is.

    state: "queued", "running", or the kind of its last event; "done" of one that was made before.
    ahead: jobs before it.
    progress: data of its newest progress event, {} before the first and of the closed form.
    measures: name -> number, those of the closed form.
    steps: of a training, that its edit has had, of a balance looks; 0 where it is whole.
    error: how it ended early, a sentence; "" else.
    """

    state: str = "done"
    ahead: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    steps: int = 0
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state not in ("queued", "running")

    @property
    def share(self) -> float:
        """Of a training that is done."""
        return float(self.progress.get("done", 0.0))


def making_of(studio: Studio, trial: Trial) -> Making:
    """How far the erasure is that is looked at."""
    if not trial.job:
        return Making(measures=_measures(entry_of(studio, trial)))
    try:
        events = studio.jobs.events(trial.job)
    except NotFound:  # the browser remembers a job of another workspace
        return Making("interrupted", error="This erasure is of another workspace.")
    values: dict[str, Any] = {"state": "queued"}
    for event in events:
        if event.kind == "queued":
            values["ahead"] = event.data.get("ahead", 0)
        elif event.kind == "progress":
            values["progress"] = event.data
        elif event.kind == "measure" and trial.method == INSTANT:
            values["measures"] = event.data["values"]
        elif event.kind == "edit" and not event.data.get("final", True):
            values["steps"] = event.data["steps"]
        elif event.final:
            values["error"] = event.data.get("error", "")
        values["state"] = event.kind if event.final else "running" if event.kind != "queued" else values["state"]
    if values["state"] == "cancelled":
        values["error"] = "" if values.get("steps") else "It was stopped before there was an edit."
    values.setdefault("measures", _measures(entry_of(studio, trial)))
    return Making(**values)


def has_curves(studio: Studio, trial: Trial) -> bool:
    """Whether it is a training that has measured something."""
    if not trial.job or trial.is_balance or trial.method == INSTANT:
        return False
    with contextlib.suppress(NotFound):
        return bool(curves.points(studio, trial.job))
    return False


def entry_of(studio: Studio, trial: Trial) -> EditEntry | None:
    """The edit that is looked at; None while there is none, and where it was deleted."""
    return studio.edits.known([trial.edit]).get(trial.edit) if trial.edit else None


def parts_of(studio: Studio, entry: EditEntry) -> list[EditEntry]:
    """The edits of a joint one's concepts, that add up to it; [] where it has none, or not all of them any more."""
    parts = entry.provenance.get("parts")
    refs = [str(part.get("sha256"))[:12] for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    entries = studio.edits.known(refs)
    return [entries[ref] for ref in refs] if len(entries) == len(refs) else []


def edit_of(studio: Studio, job: str) -> str:
    """The edit that an erasure has made; "" while there is none. Of an earlier run of the studio it is found again by
    its plan, for of that only the end is known.
    """
    with contextlib.suppress(NotFound):
        events = studio.jobs.events(job)
        wholes = (event.data["edit"] for event in events if event.kind == "edit" and "part" not in event.data)
        if edit := next(wholes, ""):
            return edit
        if events and events[-1].kind == "done":
            plan = studio.jobs.get(job).payload.get("plan") or {}
            plan = (plan.get("provenance") or {}).get("erasure", plan)  # that of a training has it among its origins
            made_of = "balance" if "attributes" in plan else "erasure"
            return next((entry.id for entry in studio.edits.list() if entry.provenance.get(made_of) == plan), "")
    return ""


def lengthened_by(studio: Studio, trial: Trial) -> str:
    """The job whose training the edit that is looked at came of, where that can be made longer; "" else."""
    entry = entry_of(studio, trial)
    erasure = entry.provenance.get("erasure") if entry and trial.method != INSTANT else None
    if not isinstance(erasure, dict):
        return ""
    if trial.job and studio.trainings.is_laid_by(trial.job):
        return trial.job
    job = studio.trainings.longest(erasure)
    return job.id if job else ""


def _measures(entry: EditEntry | None) -> dict[str, float]:
    measures = entry.provenance.get("measures") if entry else None
    return measures if isinstance(measures, dict) else {}
