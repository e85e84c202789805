"""Work that goes on where it was: a folder of its own for every run, the same for each try at it.

A payload with a "run" has one; what is in it is its kind's to say. The ledger has no paths: a workspace may be moved.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from studio.core.errors import BadInput
from studio.training.lora import measures
from studio.training.lora.files import BANK, CHECKPOINT

FOLDER = "trainings"


def new_run() -> str:
    """A name for a run, of which nothing is there yet."""
    return secrets.token_hex(16)


def run_of(payload: Mapping[str, Any]) -> str:
    """The name of a payload's run. Raises BadInput for a payload that names none."""
    run = str(payload.get("run"))
    if not re.fullmatch(r"[0-9a-f]{32}", run):  # it becomes part of a path
        raise BadInput("The ledger does not say which run this was.")
    return run


def folder_of(workspace: Path, payload: Mapping[str, Any]) -> Path:
    """Where a run keeps what it goes on from, and its curves. Raises BadInput for a payload that names none."""
    return workspace / FOLDER / run_of(payload)


def standing(folder: Path) -> dict[str, int]:
    """Step and threads, as the header of the checkpoint has them, else that of the bank; {} without either."""
    for name in (CHECKPOINT, BANK):
        try:
            with safe_open(folder / name, "np") as file:
                values = json.loads(file.metadata()["standing"])
            return {"step": int(values["step"]), "threads": int(values["threads"])}
        except (OSError, SafetensorError, ValueError, TypeError, KeyError):
            continue
    return {}


def steps_done(folder: Path) -> int:
    """As the checkpoint of a run has it, else its curves; 0 without either."""
    points = measures.read(folder)
    return standing(folder).get("step") or (points[-1]["step"] if points else 0)


def work_of(workspace: Path, payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the ledger keeps of a payload, and what else the engine is told. Raises BadInput.

    Where a run has got to is part of its work: what made progress since it last ended a worker is another work, and is
    not given up.
    """
    if "run" not in payload:
        return dict(payload), {}
    folder = folder_of(workspace, payload)
    places: dict[str, Any] = {"folder": str(folder), "threads": standing(folder).get("threads")}
    return {**payload, "from_step": steps_done(folder)}, places
