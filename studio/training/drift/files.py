"""Where divergences are kept: one file each beside the results of evaluations, under what it depends on."""

from __future__ import annotations

from pathlib import Path

from studio.training.drift.rows import Measured
from studio.training.evaluate.files import results_path


def read(folder: Path, digest: str) -> Measured | None:
    """What was measured; None where it was not yet, or its file cannot be read."""
    try:
        return Measured.read(results_path(folder, digest).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
