"""Features of pictures: what each extractor gives, what is kept of it, and a job that computes only what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.core.errors import NotFound
from studio.engine.kinds import JobContext, going_on
from studio.training.features import store
from studio.training.features.extractors import EXTRACTORS, OWN_CLIP, WORLD_CLIP, load, names, own_clips, tones
from studio.training.features.job import run
from studio.world.render import render_uint8
from studio.world.scene import one_object

SCENES = [
    one_object("star", "red", style="neon"),
    one_object("star", "red", style="neon", background="night"),
    one_object("moon", "blue", style="flat"),
]
PICTURES = np.stack([render_uint8(scene) for scene in SCENES])


@pytest.mark.parametrize("name", [name for name in EXTRACTORS if name != OWN_CLIP])
def test_every_extractor_reads_each_picture_alone(name: str) -> None:
    extractor = load(name)
    together = extractor.extract(PICTURES)
    assert together.shape == (3, extractor.width) and together.dtype == np.float32 and np.isfinite(together).all()
    for row, picture in zip(together, PICTURES, strict=True):
        assert np.allclose(row, extractor.extract(picture[None])[0], atol=1e-4)
    assert not np.allclose(together[0], together[2])
    assert load(name).id == extractor.id


def test_attributes_are_what_is_read() -> None:
    rows = load("attributes").extract(PICTURES)
    assert (rows[:, :-1].sum(1) == 4).all()  # an object, a colour, a style and a background
    changed = rows[0, :-1] != rows[1, :-1]
    assert changed.sum() == 2  # another background, and nothing else


def test_tones_of_plain_pictures_are_exact() -> None:
    grey = np.full((1, 8, 8, 3), 128, dtype=np.uint8)
    (row,) = tones(grey)
    assert row[[0, 1, 3, 5, 6, 7, 29]] == pytest.approx(0) and row[[2, 4]] == pytest.approx(128 / 255)
    assert row[8:29].reshape(3, 7)[:, 4] == pytest.approx(1)  # all pixels in the fifth of eight bins
    striped = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    striped[:, :, ::2] = 255
    assert tones(striped)[0, 7] == 1 and tones(striped)[0, 6] == 0


def test_a_clip_of_ones_own_is_found_by_its_files(tmp_path: Path) -> None:
    assert own_clips(None) == [] and own_clips(tmp_path) == []
    assert names(of_world=False, models_dir=tmp_path) == ("tones",)
    shutil.copytree(WORLD_CLIP, tmp_path / "mine")
    (tmp_path / "half").mkdir()
    assert own_clips(tmp_path) == [tmp_path / "mine"]
    assert names(of_world=False, models_dir=tmp_path)[0] == OWN_CLIP
    assert np.array_equal(load(OWN_CLIP, tmp_path / "mine").extract(PICTURES), load("clip").extract(PICTURES))
    for name, folder in (("sense", None), (OWN_CLIP, None)):
        with pytest.raises(NotFound, match="no features named"):
            load(name, folder)


def test_rows_come_back_and_a_damaged_one_costs_itself_alone(tmp_path: Path) -> None:
    path = store.path_of(tmp_path, "tones", "0" * 64, 3)
    rows = {f"{number:064x}": np.arange(3, dtype=np.float32) + number for number in range(4)}
    assert store.read(path) == {} and store.newest(tmp_path, "tones") is None
    for sha256, row in rows.items():
        store.add(path, {sha256: row})
    back = store.read(path)
    assert {name: row.tolist() for name, row in back.items()} == {name: row.tolist() for name, row in rows.items()}
    assert store.newest(tmp_path, "tones") == path
    data = bytearray(path.read_bytes())
    data[40] ^= 1  # within the first row
    path.write_bytes(data[:-5])  # and the last one was cut short
    assert set(store.read(path)) == set(list(rows)[1:3])
    store.add(path, {list(rows)[3]: rows[list(rows)[3]]})
    assert set(store.read(path)) == set(list(rows)[1:])
    (tmp_path / "other.txt").write_text("kept")
    store.tidy(tmp_path, [], most_bytes=0)
    assert [file.name for file in tmp_path.iterdir()] == ["other.txt"]


def test_a_job_computes_what_is_missing_and_passes_over_what_cannot_be_read(tmp_path: Path) -> None:
    files = {}
    for number, picture in enumerate(PICTURES):
        files[f"{number:064x}"] = tmp_path / f"{number}.png"
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    Image.fromarray(PICTURES[0, :64, :96]).save(tmp_path / "2.png")  # of another size
    files[f"{9:064x}"] = tmp_path / "gone.png"
    job = {"extractor": "tones", "folder": tmp_path / "features", "pictures": files}

    def outcome() -> dict[str, Any]:
        told: list[tuple[str, dict[str, Any]]] = []
        for _ in run(job, JobContext(None, lambda kind, data: told.append((kind, data)), going_on)):
            pass
        assert told[0][0] == "started" and told[-1][0] == "done"
        return told[-1][1]

    assert outcome() == {"images": 0, "computed": 3, "unreadable": 1}
    assert outcome() == {"images": 0, "computed": 0, "unreadable": 1}
    path = store.newest(tmp_path / "features", "tones")
    assert path is not None
    kept = store.read(path)
    assert set(kept) == set(list(files)[:3])
    assert np.array_equal(kept[f"{0:064x}"], tones(PICTURES[:1])[0])
