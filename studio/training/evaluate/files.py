"""What an evaluation writes, by name: known to those too that must not load torch.

evaluations/<digest>.jsonl holds the results of one way of drawing (see store.py), evaluations/runs/<run>.json which of
them an evaluation is made of.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error

MOST_BYTES = 1_000_000_000  # of all results together: half a million pictures
_DIGEST = re.compile(r"[0-9a-f]{64}")


def results_path(folder: Path, digest: str) -> Path:
    """Where the results of one way of drawing are."""
    return folder / f"{digest}.jsonl"


@dataclass(frozen=True)
class Run:
    """What one evaluation is made of.

    digests: under what the results of each stack are kept, in the order of the stacks.
    threads: of the arithmetic; others give pictures that are equal to rounding only. None where that is not known.
    """

    digests: tuple[str, ...] = ()
    threads: int | None = None


def run_named(run: str, name: str) -> str:
    """The name under which a further evaluation of a run is noted."""
    return sha256(f"{run} {name}".encode()).hexdigest()[:32]


def write_run(folder: Path, name: str, run: Run) -> None:
    """Note what an evaluation is made of. Raises WorkspaceError."""
    path = folder / "runs" / f"{name}.json"
    try:
        for directory in (folder, path.parent):
            directory.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, json.dumps(asdict(run)).encode())
    except OSError as error:
        raise workspace_error(error, "The evaluation") from None


def read_run(folder: Path, name: str) -> Run:
    """What `write_run` noted; nothing before it did, or where it cannot be read."""
    try:
        values = json.loads((folder / "runs" / f"{name}.json").read_bytes())
        run = Run(tuple(map(str, values["digests"])), int(values["threads"]))
    except (OSError, ValueError, TypeError, KeyError):
        return Run()
    return run if all(map(_DIGEST.fullmatch, run.digests)) else Run()


def tidy(folder: Path, in_use: Collection[str], most_bytes: int = MOST_BYTES) -> None:
    """Let go of the results that were not used for longest, until all of them fit.

    in_use: digests of the evaluation at hand, whose results stay, and count as used now. What is let go of is drawn
    again by whoever asks for it. A file that cannot be removed stays.
    """
    for digest in in_use:
        with contextlib.suppress(OSError):  # nothing of it was drawn yet
            os.utime(results_path(folder, digest))
    stats = {path: path.stat() for path in folder.glob("*.jsonl") if _DIGEST.fullmatch(path.stem)}
    total = sum(stat.st_size for stat in stats.values())
    for path in sorted(stats, key=lambda path: stats[path].st_mtime_ns):
        if total <= most_bytes:
            return
        if path.stem not in in_use:
            with contextlib.suppress(OSError):
                path.unlink()
                total -= stats[path].st_size
