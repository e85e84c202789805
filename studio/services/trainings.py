"""Trainings of edits: started, gone on with after a death, their curves. What they learn is the engine's to know."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from studio.core.errors import BadInput, NotFound
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.lora import measures
from studio.training.lora.files import BANK, CHECKPOINT
from studio.training.lora.plan import Plan

KIND = "train"
CHECKPOINT_EVERY_S = 30.0
NO_LOSS = "This version brings no loss of its own yet."


class TrainingService:
    """The trainings of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources

    def start(self, plan: Mapping[str, Any], checkpoint_every_s: float = CHECKPOINT_EVERY_S) -> str:
        """Queue a training in the background; give the job's id. A second one waits until the first is over.

        plan: plain values (studio.training.lora.plan.Plan).
        checkpoint_every_s: how much work a death may cost.
        Raises BadInput, NotFound.
        """
        checked = Plan.load(dict(plan))
        self._sources.card(checked.model)  # a model that is not there is told now
        if checked.loss not in (losses := self._sources.engine_config().losses):
            there_are = f"There are {', '.join(sorted(losses))}." if losses else NO_LOSS
            raise NotFound(f"There is no loss named {checked.loss[:60]!r}.", there_are, field="loss")
        payload = {
            "kind": KIND,
            "plan": checked.model_dump(mode="json"),
            "run": secrets.token_hex(16),
            "what": checked.name,
            "checkpoint_every_s": checkpoint_every_s,
        }
        return self._submit(payload)

    def retry(self, job: JobRecord) -> str:
        """Queue what is left of a training; give the new job's id. Raises BadInput, NotFound."""
        return self._submit(job.payload, retry_of=job.id)

    def folder(self, job: JobRecord) -> Path:
        """Where a training's checkpoint and curves are: the same for every try at it. Raises BadInput."""
        return self._folder(job.payload)

    def steps_done(self, job: JobRecord) -> int:
        """As its checkpoint has it; 0 without one that can be read."""
        return steps_done(self.folder(job))

    def curves(self, job: JobRecord) -> list[dict[str, Any]]:
        """The measures of a training so far: [{"step", "values": name -> number}], by step."""
        return measures.read(self.folder(job))

    def _submit(self, payload: Mapping[str, Any], retry_of: str | None = None) -> str:
        """Where it has got to is part of the work: what made progress since it last ended a worker is another work."""
        plan = Plan.load(dict(payload["plan"]))  # of a ledger, which may be somebody else's
        self._sources.card(plan.model)
        folder = self._folder(payload)
        work = {**payload, "from_step": steps_done(folder)}
        places = {"folder": str(folder), "threads": _standing(folder).get("threads")}
        return self._jobs.submit(work, "background", retry_of=retry_of, places=places)

    def _folder(self, payload: Mapping[str, Any]) -> Path:
        return folder_of(self._archive.workspace.root, payload)


def folder_of(workspace: Path, payload: Mapping[str, Any]) -> Path:
    """Where the checkpoint and the curves of a job's training are. Raises BadInput."""
    run = str(payload.get("run"))
    if not re.fullmatch(r"[0-9a-f]{32}", run):  # it becomes part of a path
        raise BadInput("The ledger does not say which training this was.")
    return workspace / "trainings" / run


def progress(workspace: Path, payload: Mapping[str, Any]) -> dict[str, Any]:
    """How far a training has come, by its newest measures: {"step", "steps", "values": name -> number}.

    Raises BadInput for a job that is none.
    """
    points = measures.read(folder_of(workspace, payload))
    newest = points[-1] if points else {"step": 0, "values": {}}
    return {"step": newest["step"], "steps": Plan.load(dict(payload["plan"])).steps, "values": newest["values"]}


def steps_done(folder: Path) -> int:
    """As the checkpoint in a training's folder has it; 0 without one that can be read."""
    return _standing(folder).get("step", 0)


def _standing(folder: Path) -> dict[str, int]:
    """Step and threads, as the header of the checkpoint has them, else that of the bank; {} without either."""
    for name in (CHECKPOINT, BANK):
        try:
            with safe_open(folder / name, "np") as file:
                standing = json.loads(file.metadata()["standing"])
            return {"step": int(standing["step"]), "threads": int(standing["threads"])}
        except (OSError, SafetensorError, ValueError, TypeError, KeyError):
            continue
    return {}
