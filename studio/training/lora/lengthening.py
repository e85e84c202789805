"""A training that is over made longer: a plan of more steps, and its last checkpoint as one of that plan. No torch.

It goes on to the bits of a training that had so many steps from the beginning (same machine, same number of threads).
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from studio.core.errors import AssetError, BadInput
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.lora.files import BANK, CHECKPOINT, FINISHED, KEPT, MEASURES
from studio.training.lora.plan import Plan
from studio.training.lora.standing import Standing

_STEPS = re.compile(r", \d+ steps$")
MAX_NAME_CHARS = 80


def lengthened(plan: Plan, steps: int) -> Plan:
    """The plan with so many steps in all, of which looks end none. Its edit is the next version, named by its steps.

    Raises BadInput for more steps than a training has.
    """
    values = plan.plain()
    provenance: dict[str, Any] = dict(plan.provenance)
    provenance["version"] = int(provenance.get("version", 1)) + 1
    if "erasure" in provenance:  # what a report card and the page know it by
        training = {**provenance["erasure"]["training"], "steps": steps, "early_stopping": False}
        provenance["erasure"] = {**provenance["erasure"], "training": training}
    if plan.looks is not None:
        values["looks"] = {**values["looks"], "stops": False}
    if plan.held_out is not None:
        values["held_out"] = {**values["held_out"], "stop_rise": None}
    if plan.judged is not None:
        values["judged"] = {**values["judged"], "stops": False}
    ending = f", {steps} steps"
    name = _STEPS.sub("", plan.name)[: MAX_NAME_CHARS - len(ending)] + ending
    if "alignment" in provenance:
        provenance["alignment"] = {**provenance["alignment"], "steps": steps, "name": name}
    return Plan.load({**values, "name": name, "steps": steps, "provenance": provenance})


def finished_steps(folder: Path) -> int:
    """How many steps a training that is over had, by its last checkpoint.

    Raises BadInput where that is gone, AssetError where it is damaged.
    """
    return _standing(folder / FINISHED).step


def hand_on(source: Path, target: Path, plan: Plan, longer: Plan) -> None:
    """Put what a finished training went on from, and its curves, into the folder of the longer one.

    source, target: their folders. Raises as `finished_steps`, WorkspaceError, BadInput for a checkpoint of another
    plan.
    """
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, target_name in ((FINISHED, CHECKPOINT), (BANK, BANK)):
            if name == BANK and not (source / BANK).is_file():  # a plan may need none, and it can be made again
                continue
            standing = _standing(source / name)
            if standing.plan != plan.digest:
                raise BadInput("The checkpoint is of a training with other settings.", "Start a new training.")
            with safe_open(source / name, "np") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}
            metadata = {"standing": json.dumps(asdict(replace(standing, plan=longer.digest)))}
            write_durably(target / target_name, save(tensors, metadata))
        if (source / MEASURES).is_file():
            shutil.copyfile(source / MEASURES, target / MEASURES)
    except OSError as error:
        raise workspace_error(error, "What the training goes on from") from None


def _standing(path: Path) -> Standing:
    if not path.is_file():
        raise BadInput(
            f"What this training would go on from is gone: of those that are over, the newest {KEPT} have it.",
            "Start a new one with more steps.",
        )
    try:
        with safe_open(path, "np") as file:
            return Standing(**json.loads(file.metadata()["standing"]))
    except (OSError, SafetensorError, ValueError, TypeError, KeyError):
        raise AssetError(
            "The last checkpoint of this training is damaged.", "Start a new one with more steps."
        ) from None
