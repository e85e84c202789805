"""Which trainings from labels there are: those under way or that left no edit, and the edits that came of others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.services.trainings import KIND

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

LOOKED_AT, SHOWN = 60, 8  # newest jobs of the ledger; alignments on the page


@dataclass(frozen=True)
class Alignment:
    """One training from labels.

    plan: of the alignment, as it was asked for.
    job: that trains, or did; None of one of long ago.
    entry: the edit it ended with; None while there is none.
    """

    plan: Mapping[str, Any]
    job: JobRecord | None
    entry: EditEntry | None

    @property
    def name(self) -> str:
        return str(self.plan.get("name", "")) or "aligned"

    @property
    def key(self) -> str:
        """What tells it apart, whichever of its jobs is under way."""
        return json.dumps(self.plan, sort_keys=True)

    @property
    def group(self) -> str:
        """What it has in common with those that differ in their seed alone."""
        return json.dumps({name: value for name, value in self.plan.items() if name not in ("seed", "name")})

    @property
    def is_running(self) -> bool:
        """Whether it trains, or waits to."""
        return self.job is not None and not self.job.over

    @property
    def training(self) -> Mapping[str, Any]:
        """The plan of its training, {} where nothing says it."""
        if self.job is not None:
            return self.job.payload.get("plan") or {}
        plan = self.entry.provenance.get("training") if self.entry else None
        return plan if isinstance(plan, dict) else {}

    @property
    def prompts(self) -> Sequence[str]:
        """Held-out prompts whose pictures it is looked at in."""
        judged = self.training.get("judged")
        return judged.get("prompts") or () if isinstance(judged, dict) else ()


def alignments(studio: Studio) -> list[Alignment]:
    """Those under way or that left no edit, then the edits there are; newest first."""
    edits = [entry for entry in studio.edits.list() if isinstance(entry.provenance.get("alignment"), dict)]
    edits.sort(key=lambda entry: entry.changed_at, reverse=True)
    of_jobs: list[Alignment] = []
    jobs_of: dict[str, JobRecord] = {}
    newest = studio.jobs.newest(LOOKED_AT)
    tried_again = {job.retry_of for job in newest}
    for job in newest:
        plan = plan_of(job)
        if plan is None or job.id in tried_again:
            continue
        entry = next((entry for entry in edits if entry.provenance["alignment"] == plan), None)
        if entry is not None and job.over:
            jobs_of.setdefault(entry.id, job)
        else:
            of_jobs.append(Alignment(plan, job, None))
    of_edits = [Alignment(entry.provenance["alignment"], jobs_of.get(entry.id), entry) for entry in edits]
    return [*of_jobs, *of_edits][:SHOWN]


def running(studio: Studio) -> list[str]:
    """Jobs of alignments that are not over."""
    return [job.id for job in studio.jobs.unfinished() if plan_of(job) is not None]


def plan_of(job: JobRecord) -> Mapping[str, Any] | None:
    """The plan of the alignment that a job trains; None of any other job."""
    if job.kind != KIND:
        return None
    provenance = (job.payload.get("plan") or {}).get("provenance")
    plan = provenance.get("alignment") if isinstance(provenance, dict) else None
    return plan if isinstance(plan, dict) else None
