"""The kind of job "score": pictures scored with their prompts, and the scores kept by picture, prompt and scorer.

In the background, some at a time; what is there already is not scored again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.engine.kinds import JobContext, Steps
from studio.training.evaluate.meter import Picture, tensor
from studio.training.features import store
from studio.training.features.job import read_picture
from studio.training.scorers.base import Scorer, kind

TOGETHER = 8  # pictures between two steps


def score_key(sha256: str, prompt: str) -> str:
    """What a score is kept under, beside the scorer's id: of a picture's file and the prompt."""
    return hashlib.sha256(f"{sha256}\n{prompt}".encode()).hexdigest()


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Score what was not scored.

    job: "scorer" (its name), "models_dir" (or None), "pictures" ([sha256, file, prompt] each), "folder" (of the store).
    Tells "started", "progress" and "done" (with "scored" pictures, and "unreadable" ones, which are passed over).
    Raises NotFound where its weights are not there, AssetError, WorkspaceError.
    """
    tell = context.tell
    tell("started", {"images": 0})
    models_dir = job.get("models_dir")
    scorer = kind(str(job["scorer"])).load(None if models_dir is None else Path(str(models_dir)))
    folder = Path(str(job["folder"]))
    path = store.path_of(folder, file_name(scorer.name), scorer.id, 1)
    present = store.read(path)
    missing = [row for row in job["pictures"] if score_key(row[0], row[2]) not in present]
    store.tidy(folder, [path])
    unreadable = 0
    yield
    for at in range(0, len(missing), TOGETHER):
        part = missing[at : at + TOGETHER]
        scores = _scores(scorer, part)
        unreadable += len(part) - len(scores)
        store.add(path, scores)
        scored_so_far = min(len(missing), at + TOGETHER)
        progress = {"step": scored_so_far, "steps": len(missing), "done": scored_so_far / len(missing)}
        tell("progress", progress)
        yield
    tell("done", {"images": 0, "scored": len(missing) - unreadable, "unreadable": unreadable})


def file_name(scorer: str) -> str:
    """What a scorer's scores are called in the store."""
    return f"score_{scorer}"


def _scores(scorer: Scorer, rows: Sequence[Sequence[str]]) -> dict[str, store.Features]:
    """Key -> score [1] of the pictures that can be read, those of one size together."""
    by_size: dict[tuple[int, ...], list[tuple[Picture, str, str]]] = defaultdict(list)
    for sha256, file, prompt in rows:
        picture = read_picture(Path(file))
        if picture is not None:
            by_size[picture.shape].append((picture, prompt, score_key(sha256, prompt)))
    scores: dict[str, store.Features] = {}
    for parts in by_size.values():
        pictures, prompts, keys = zip(*parts, strict=True)
        with torch.no_grad():
            values: Tensor = scorer.score(tensor(np.stack(pictures)), prompts).cpu()
        scores |= {key: np.array([value], dtype=np.float32) for key, value in zip(keys, values.tolist(), strict=True)}
    return scores
