"""The kind of job "features": pictures read from their files, and their features kept. It changes nothing else.

It works in the background, a batch at a time. What is there already is not computed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.core.errors import BadInput
from studio.engine.kinds import JobContext, Steps
from studio.storage.picture_pixels import read_pixels
from studio.training.features import store
from studio.training.features.extractors import load

TOGETHER = 16  # pictures between two steps
READING = 2  # counted up when files are read otherwise; since 2 they are turned upright, and laid on white


def kept_under(id: str) -> str:
    """What features are kept under, in hex: what they depend on, and how pictures are read. id: of the extractor."""
    return sha256(f"{READING} {id}".encode()).hexdigest()


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Compute what is missing.

    job: "extractor" (its name), "clip" (folder of a CLIP of the user's, or None), "pictures" (sha256 -> file), "folder"
    (of the store).
    Tells "started", "progress" and "done" (with "computed" pictures, and "unreadable" ones, which are passed over).
    Raises NotFound, AssetError, WorkspaceError.
    """
    tell = context.tell
    tell("started", {"images": 0})
    extractor = load(str(job["extractor"]), None if job.get("clip") is None else Path(str(job["clip"])))
    folder = Path(str(job["folder"]))
    path = store.path_of(folder, str(job["extractor"]), kept_under(extractor.id), extractor.width)
    present = store.read(path)
    missing = {sha256: file for sha256, file in job["pictures"].items() if sha256 not in present}
    store.tidy(folder, [path])
    total, unreadable = len(missing), 0
    yield
    names = list(missing)
    for at in range(0, total, TOGETHER):
        by_size: dict[tuple[int, ...], dict[str, npt.NDArray[np.uint8]]] = defaultdict(dict)
        for name in names[at : at + TOGETHER]:
            picture = read_picture(Path(missing[name]))
            if picture is None:
                unreadable += 1
            else:
                by_size[picture.shape][name] = picture
        for pictures in by_size.values():
            rows = extractor.extract(np.stack(list(pictures.values())))
            store.add(path, dict(zip(pictures, rows, strict=True)))
        read_so_far = min(total, at + TOGETHER)
        tell("progress", {"step": read_so_far, "steps": total, "done": read_so_far / total})
        yield
    tell("done", {"images": 0, "computed": total - unreadable, "unreadable": unreadable})


def read_picture(path: Path) -> npt.NDArray[np.uint8] | None:
    """Pixels [H, W, 3] of a file, as people see it: turned as its EXIF says. None where it cannot be read."""
    try:
        return np.asarray(read_pixels(path, "The picture")[0].image)
    except BadInput:
        return None
