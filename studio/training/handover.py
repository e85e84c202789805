"""An edit that a job has made, written where the studio takes it over from (studio.services.recording)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.engine.edits.files import to_bytes
from studio.engine.edits.format import Edit
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.lora.files import EDIT


def hand_over(edit: Edit, folder: Path, steps: int, final: bool, name: str = EDIT) -> dict[str, Any]:
    """Write the edit; give what an event "edit" tells of it.

    steps: how many it had. final: whether these were all. name: of the file, of which a job's edits have one each.
    Raises WorkspaceError.
    """
    path = folder / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, to_bytes(edit))
    except OSError as error:
        raise workspace_error(error, "The edit that was made") from None
    return {"path": str(path), "name": edit.name, "sha256": edit.sha256, "steps": steps, "final": final}
