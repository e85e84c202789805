"""Trainings of edits: started, gone on with after a death, their curves. What they learn is the engine's to know."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from studio.core.errors import BadInput, NotFound
from studio.storage.jobs import JobRecord
from studio.training.lora import measures
from studio.training.lora.files import BANK, CHECKPOINT
from studio.training.lora.plan import Plan

if TYPE_CHECKING:
    from studio.services.generate import Studio

KIND = "train"


def start(studio: Studio, plan: Mapping[str, Any], checkpoint_every_s: float = 30.0) -> str:
    """Queue a training in the background; give the job's id. A second one waits until the first is over.

    plan: plain values (studio.training.lora.plan.Plan). checkpoint_every_s: how much work a death may cost.
    Raises BadInput, NotFound.
    """
    checked = Plan.load(dict(plan))
    studio.sources.card(checked.model)  # a model that is not there is told now
    if checked.loss not in (losses := studio.sources.engine_config().losses):
        there_are = f"There are {', '.join(sorted(losses))}." if losses else None
        raise NotFound(f"There is no loss named {checked.loss[:60]!r}.", there_are, field="loss")
    payload = {
        "kind": KIND,
        "plan": checked.model_dump(mode="json"),
        "run": secrets.token_hex(16),
        "what": checked.name,
        "checkpoint_every_s": checkpoint_every_s,
    }
    return enqueue(studio, payload)


def enqueue(studio: Studio, payload: Mapping[str, Any], retry_of: str | None = None) -> str:
    """Queue it, or the rest of it.

    Where it has got to is part of the work: what made progress since it last ended a worker is not the same work.
    """
    plan = Plan.load(dict(payload["plan"]))  # of a ledger, which may be somebody else's
    studio.sources.card(plan.model)
    folder = folder_of(studio, payload)
    work = {**payload, "from_step": steps_done(folder)}
    told = {"folder": str(folder), "threads": _standing(folder).get("threads")}
    return studio.enqueue(work, "background", retry_of=retry_of, places=told)


def folder_of(studio: Studio, payload: Mapping[str, Any]) -> Path:
    """Where a training's checkpoint and curves are: the same for every try at it. Raises BadInput."""
    run = str(payload.get("run"))
    if not re.fullmatch(r"[0-9a-f]{32}", run):  # it becomes part of a path
        raise BadInput("The ledger does not say which training this was.")
    return studio.archive.workspace.root / "trainings" / run


def steps_done(folder: Path) -> int:
    """As its checkpoint has it; 0 without one that can be read."""
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


def curves(studio: Studio, job: JobRecord) -> list[dict[str, Any]]:
    """The measures of a training so far: [{"step", "values": name -> number}], by step."""
    return measures.read(folder_of(studio, job.payload))
