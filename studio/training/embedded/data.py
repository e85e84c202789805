"""Scenes by number and their pictures: scene i of a split is the same on every machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.training.embedded.exclusion import Exclusion
from studio.world.render import SIZE_PX, render_uint8
from studio.world.scene import Scene, random_scene

TRAIN_SEED, HELD_OUT_SEED = 11, 12
Pictures = npt.NDArray[np.uint8]


def scene_at(
    index: int,
    *,
    seed: int = TRAIN_SEED,
    two: float = 0.3,
    empty: float = 0.02,
    biased: bool = True,
    held_out: bool | None = False,
    without: Exclusion | None = None,
) -> Scene:
    """Scene number `index` of the split named by the other arguments.

    without: a scene that shows it gives way to the next of its own generator that does not and has as many objects;
    every other number has the scene that it has without this.
    """
    rng = np.random.default_rng((seed, index))
    base_scene = scene = random_scene(rng, two=two, empty=empty, biased=biased, held_out=held_out)
    while without is not None and (without.shown_in(scene) or len(scene.things) != len(base_scene.things)):
        scene = random_scene(rng, two=two, empty=empty, biased=biased, held_out=held_out)
    return scene


def _render_block(scenes: Sequence[Scene]) -> Pictures:
    return np.stack([render_uint8(scene, SIZE_PX) for scene in scenes])


def render_all(scenes: Sequence[Scene], workers: int | None = None, block: int = 256) -> Pictures:
    """Pictures [N, 128, 128, 3] uint8 of many scenes, drawn by a pool of processes."""
    blocks = [scenes[i : i + block] for i in range(0, len(scenes), block)]
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(blocks) == 1:
        return np.concatenate([_render_block(b) for b in blocks])
    with ProcessPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(_render_block, blocks)))


def picture_set(path: Path, scenes: Sequence[Scene]) -> Pictures:
    """The pictures of some scenes, drawn once and kept in a file (memory-mapped when read)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.npy")
        np.save(temporary, render_all(scenes))
        os.replace(temporary, path)
    return np.load(path, mmap_mode="r")
