"""Trainings of edits: started, gone on with after a death, their curves. What they learn is the engine's to know."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from studio.core.errors import NotFound
from studio.storage.jobs import JobRecord
from studio.training.lora import measures
from studio.training.lora.files import CHECKPOINT
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
    folder = folder_of(studio, payload)
    work = {**payload, "from_step": steps_done(folder)}
    return studio.enqueue(work, "background", retry_of=retry_of, places={"folder": str(folder)})


def folder_of(studio: Studio, payload: Mapping[str, Any]) -> Path:
    """Where a training's checkpoint and curves are: the same for every try at it."""
    return studio.archive.workspace.root / "trainings" / str(payload["run"])


def steps_done(folder: Path) -> int:
    """As its checkpoint has it; 0 without one that can be read. By its header alone."""
    try:
        with safe_open(folder / CHECKPOINT, "np") as file:
            return int(json.loads(file.metadata()["standing"])["step"])
    except (OSError, SafetensorError, ValueError, TypeError, KeyError):
        return 0


def curves(studio: Studio, job: JobRecord) -> list[dict[str, Any]]:
    """The measures of a training so far: [{"step", "values": name -> number}], by step."""
    return measures.read(folder_of(studio, job.payload))
