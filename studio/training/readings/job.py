"""The kind of job "read": what pictures show, for whoever compares them.

Of Stencil's world the oracle reads them, and gives the features their diversity is measured by. Others get features of
the user's CLIP, or of tones without one, and where there is one its score with their prompts and what it reads of their
words. What is there already is not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.engine.events import EventKind
from studio.engine.kinds import JobContext, Steps
from studio.training.evaluate.meter import Meter, tensor
from studio.training.features import job as features
from studio.training.features import store as feature_store
from studio.training.features.extractors import OWN_CLIP
from studio.training.features.extractors import load as load_extractor
from studio.training.readings import store
from studio.training.scorers import job as scores

TOGETHER = 16  # pictures between two steps
TONES = "tones"


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Read what is missing.

    job: "world" (sha256 -> file, of pictures that the oracle reads), "others" ([sha256, file, prompt] each), "folder"
    (of readings), "features" (folder of those), "clip" (folder of a CLIP of the user's, or None), "models_dir" (or
    None).
    Tells "started", "progress" and "done". Raises AssetError, WorkspaceError; NotFound for a CLIP that is gone.
    """
    tell = context.tell
    tell("started", {"images": 0})
    world, others = dict(job["world"]), list(job["others"])
    yield
    if world:
        yield from _read_world(world, Path(str(job["folder"])), Path(str(job["features"])), context)
    if others:
        yield from _read_others(others, job, context)
    tell("done", {"images": 0, "read": len(world) + len(others)})


def _read_world(files: Mapping[str, str], folder: Path, features_folder: Path, context: JobContext) -> Steps:
    from studio.world.oracle import FEATURES, Oracle, version

    oracle = Oracle.load()
    meter = Meter(oracle.read, oracle.features)
    path = store.path_of(folder, version())
    extractor = load_extractor("oracle")  # by its own name for them, so that taste models find them too
    features_path = feature_store.path_of(features_folder, "oracle", extractor.id, 2 * FEATURES)
    present = store.read(path).keys() & feature_store.read(features_path).keys()
    missing = [(image, file) for image, file in files.items() if image not in present]
    feature_store.tidy(features_folder, [features_path])
    for at in range(0, len(missing), TOGETHER):
        for pictures in _by_size(missing[at : at + TOGETHER]):
            facts = dict(zip(pictures, meter(list(pictures.values())), strict=True))
            feature_store.add(
                features_path, {image: fact.features for image, fact in facts.items() if fact.features is not None}
            )
            store.add(path, {image: fact.reading for image, fact in facts.items() if fact.reading is not None})
        step = min(len(missing), at + TOGETHER)
        context.tell("progress", {"step": step, "steps": len(missing), "done": step / len(missing)})
        yield


def _read_others(rows: Sequence[Sequence[str]], job: Mapping[str, Any], context: JobContext) -> Steps:
    """As the kinds "features" and "score" do; of these the beginning and the end are this job's to tell."""

    def tell(kind: EventKind, data: dict[str, Any]) -> None:
        if kind == "progress":
            context.tell(kind, data)

    inner = replace(context, tell=tell)
    clip = job.get("clip")
    pictures = {image: file for image, file, _ in rows}
    about = {"pictures": pictures, "folder": job["features"], "clip": clip}
    yield from features.run({**about, "extractor": TONES if clip is None else OWN_CLIP}, inner)
    if clip is not None:
        about = {"scorer": "clip_score", "models_dir": job.get("models_dir"), "folder": job["features"]}
        yield from scores.run({**about, "pictures": rows}, inner)
        yield from _read_words(rows, Path(str(clip)), Path(str(job["folder"])), inner)


def _read_words(rows: Sequence[Sequence[str]], clip_folder: Path, folder: Path, context: JobContext) -> Steps:
    from studio.models.clip import Clip
    from studio.models.clip_words import word_scores

    clip = Clip.load(clip_folder)
    path = store.words_path_of(folder, clip.id)
    present = store.read_words(path)
    missing = [(image, file, prompt) for image, file, prompt in rows if (image, prompt) not in present]
    for place, (image, file, prompt) in enumerate(missing, 1):
        picture = features.read_picture(Path(file))
        if picture is not None:
            (scored_words,) = word_scores(clip, tensor(np.stack([picture])), [prompt])
            store.add_words(path, {(image, prompt): tuple((scored.word, scored.score) for scored in scored_words)})
        context.tell("progress", {"step": place, "steps": len(missing), "done": place / len(missing)})
        yield


def _by_size(files: Sequence[tuple[str, str]]) -> list[dict[str, npt.NDArray[np.uint8]]]:
    """sha256 -> pixels, those of one size together; those that cannot be read are left out."""
    by_size: dict[tuple[int, ...], dict[str, npt.NDArray[np.uint8]]] = defaultdict(dict)
    for image, file in files:
        picture = features.read_picture(Path(file))
        if picture is not None:
            by_size[picture.shape][image] = picture
    return list(by_size.values())
