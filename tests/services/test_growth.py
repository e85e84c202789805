"""What a studio that is used for long holds in memory: no more than after it was warm."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_of_folder
from studio.services.studio import Studio
from tests.engine.edits.making import make_edit

STATM = Path("/proc/self/statm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STATM.exists(), reason="the system does not tell a process's memory"),
]
Draw = Callable[..., Recipe]


def resident() -> int:
    gc.collect()
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(sizes: list[int]) -> float:
    """How much more the last is than the largest of the first fifth, in which all is loaded that stays."""
    print([size // 1024**2 for size in sizes], "MB")
    return sizes[-1] / max(sizes[: len(sizes) // 5]) - 1


def test_a_thousand_pictures_do_not_grow_the_process(settings: Settings, draw: Draw) -> None:
    sizes: list[int] = []
    with Studio(settings, backend="inline") as studio:
        for block in range(50):
            studio.pictures.draw([draw(seed=20 * block + seed, prompt=f"a red star {block}") for seed in range(20)])
            sizes.append(resident())
        assert studio.history.count() == 1000
    assert grown(sizes) <= 0.05


def test_two_hundred_switches_of_edits_do_not_grow_the_process(settings: Settings, draw: Draw, tmp_path: Path) -> None:
    shapes = layout_of_folder(settings.model_dir).components["unet"]
    sizes: list[int] = []
    with Studio(settings, backend="inline") as studio:
        names: list[str] = []
        for number in range(3):
            edit = make_edit(shapes, seed=number, name=f"edit {number}")
            file = tmp_path / f"{number}.safetensors"
            file.write_bytes(to_bytes(edit))
            names.append(studio.edits.import_file(file).id)
        for switch in range(200):
            on = [EditRef(edit=names[switch % 3], strength=0.01 * (switch + 1))] if switch % 2 else []
            studio.pictures.draw([draw(edits=[ref.model_dump() for ref in on])])
            sizes.append(resident())
    assert grown(sizes) <= 0.05
