"""A training on disk: from it a killed run goes on to the same bits. Each file is there whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.lora.files import BANK, CHECKPOINT, FINISHED
from studio.training.lora.standing import Standing

# Of each file: counted up when the same plan would put other numbers into it. A bank of another is made anew; since 2
# stored pictures are turned upright and laid on white.
FORMATS = {CHECKPOINT: 1, FINISHED: 1, BANK: 2}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """standing, and tensors by name."""

    standing: Standing
    tensors: dict[str, Tensor]


class Checkpoints:
    """The folder of one training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, checkpoint: Checkpoint, name: str = CHECKPOINT) -> None:
        """Raises WorkspaceError: the one before is still there then. name: BANK for what is written once."""
        standing = replace(checkpoint.standing, format=FORMATS[name])
        data = save(checkpoint.tensors, {"standing": json.dumps(asdict(standing))})
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)  # in one that is there: a workspace may have been moved
            write_durably(self.folder / name, data)
        except OSError as error:
            raise workspace_error(error, "The checkpoint of the training") from None

    def read(self, plan: str, base: str, name: str = CHECKPOINT) -> Checkpoint | None:
        """Give the latest; None where there is none yet, or a bank that this version would make otherwise.

        plan, base: what the training that goes on has. Raises AssetError for a file that is damaged, BadInput for the
        checkpoint of another plan or another base.
        """
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                values: dict[str, Any] = json.loads(file.metadata()["standing"])
                standing = Standing(**values)
                if name == BANK and standing.format != FORMATS[name]:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # no mapping
        except (OSError, SafetensorError, ValueError, TypeError, KeyError):
            raise AssetError(
                "The checkpoint of this training is damaged.", "Start the training anew; it begins at its first step."
            ) from None
        if standing.plan != plan:
            raise BadInput("The checkpoint is of a training with other settings.", "Start a new training.")
        if standing.format != FORMATS[name]:
            raise BadInput("The checkpoint was written by another version of this program.", "Start a new training.")
        if standing.base != base:
            raise BadInput(
                "The checkpoint is of a training on other weights than this model has now.", "Start a new training."
            )
        return Checkpoint(standing, tensors)
