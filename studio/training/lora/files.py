"""What is in the folder of a training, by name: known to those too that must not load torch."""

from __future__ import annotations

import contextlib
from pathlib import Path

CHECKPOINT = "checkpoint.safetensors"
BANK = "bank.safetensors"
EDIT = "edit.safetensors"  # on its way to the workspace's edits
EDITS = "edit*.safetensors"  # where there are several
MEASURES = "measures.json"


def tidy(folder: Path) -> None:
    """Remove what only a training that goes on needs. Its curves stay; what cannot be removed does too."""
    for path in (folder / CHECKPOINT, folder / BANK, *folder.glob(EDITS)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # nothing was measured in it
        folder.rmdir()
