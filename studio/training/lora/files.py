"""What is in the folder of a training, by name: known to those too that must not load torch."""

from __future__ import annotations

import contextlib
from pathlib import Path

CHECKPOINT = "checkpoint.safetensors"
BANK = "bank.safetensors"
EDIT = "edit.safetensors"  # on its way to the workspace's edits
EDITS = "edit*.safetensors"  # where there are several
MEASURES = "measures.json"
FINISHED = "finished.safetensors"  # the last checkpoint of a training that is over
KEPT = 8  # trainings that are over and can be lengthened; what the others would go on from goes


def lay_by(folder: Path) -> None:
    """Put what a training that is over had away, so that it can be lengthened; of many, the newest.

    Its curves stay. What cannot be moved or removed stays too.
    """
    for path in folder.glob(EDITS):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (folder / CHECKPOINT).replace(folder / FINISHED)
    with contextlib.suppress(OSError):
        finished = sorted(folder.parent.glob(f"*/{FINISHED}"), key=lambda path: path.stat().st_mtime_ns)
        for path in finished[:-KEPT]:
            (path.parent / BANK).unlink(missing_ok=True)
            path.unlink()
    with contextlib.suppress(OSError):  # nothing was measured in it
        folder.rmdir()
