"""Grids: checked whole before anything runs, made once, resumed where they stopped, and drawn as one sheet."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.services.checks import settled
from studio.services.grids.axes import Axis, parse_axis
from studio.services.grids.grid import Grid, GridCell
from studio.services.grids.sheet import GRID_KEY, cell_size, fit, font
from studio.services.studio import Studio
from tests.services.waiting import wait_for
from tests.tiny_model import SIZE_PX

Draw = Callable[..., Recipe]
SCALE = "guidance.params.guidance_scale"


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def finish(studio: Studio, id: int) -> Grid:
    job_id = studio.grids.get(id).job_id
    if job_id is not None:
        wait_for(studio, job_id, "done")
    return studio.grids.get(id)


def test_every_cell_is_the_picture_of_its_own_recipe(studio: Studio, draw: Draw) -> None:
    base = draw(seed=5)
    axes = [parse_axis(base, "steps", "2-3"), parse_axis(base, SCALE, "1,3"), parse_axis(base, "S/R", "red, blue")]
    made = finish(studio, studio.grids.start(base, axes))
    assert made.shape == (2, 2, 2) and made.missing == 0 and made.base == base and made.axes == tuple(axes)
    for cell in made.cells:
        x, y, z = cell.place
        expected = base.model_copy(
            update={
                "steps": (2, 3)[x],
                "guidance": GuidanceSpec(params={SCALE.split(".")[-1]: (1.0, 3.0)[y]}),
                "prompt": ("a red star", "a blue star")[z],
            }
        )
        expected = settled(expected)
        assert cell.recipe == expected and cell.generation is not None
        shown = studio.history.get(cell.generation)
        assert shown.recipe == expected and shown.image_path == cell.image_path
    assert sorted({cell.place for cell in made.cells}) == sorted(cell.place for cell in made.cells)
    alone = studio.pictures.draw([made.cells[3].recipe])[0]
    assert alone.image_path == made.cells[3].image_path
    assert studio.grids.newest() == [made.id]


def test_it_gives_way_and_names_itself_in_the_queue(studio: Studio, draw: Draw) -> None:
    base = draw(steps=100)
    id = studio.grids.start(base, [Axis("seed", tuple(range(40)))])
    job_id = studio.grids.get(id).job_id
    assert job_id is not None
    wait_for(studio, job_id, "progress")
    (entry,) = studio.jobs.queue()
    assert (entry.description, entry.priority) == (f"Grid {id}, seed: 40 of 40 pictures", "background")
    assert len(studio.pictures.draw([draw(seed=99)])) == 1
    assert not studio.jobs.get(job_id).over
    studio.jobs.stop(job_id)
    wait_for(studio, job_id, "cancelled")


def test_stopping_keeps_what_is_made_and_resuming_makes_only_the_rest(studio: Studio, draw: Draw) -> None:
    id = studio.grids.start(draw(steps=12), [Axis("seed", tuple(range(12)))])
    job_id = studio.grids.get(id).job_id
    assert job_id is not None
    with pytest.raises(BadInput, match="is being made"):
        studio.grids.resume(id)
    wait_for(studio, job_id, "image")
    studio.jobs.stop(job_id)
    wait_for(studio, job_id, "cancelled")
    stopped = studio.grids.get(id)
    assert stopped.job_id is None and 0 < stopped.missing < 12
    again = studio.jobs.retry(job_id)
    assert (
        studio.jobs.get(again).retry_of == job_id and len(studio.jobs.get(again).payload["recipes"]) == stopped.missing
    )
    made = finish(studio, id)
    assert made.missing == 0 and studio.history.count() == 12
    kept = [cell.generation for cell in stopped.cells if cell.generation is not None]
    assert [cell.generation for cell in made.cells][: len(kept)] == kept
    with pytest.raises(BadInput, match="Every picture of grid 1 is made"):
        studio.grids.resume(id)


def test_discarding_and_purging_make_cells_missing_again(studio: Studio, draw: Draw) -> None:
    id = studio.grids.start(draw(), [Axis("seed", (1, 2))])
    made = finish(studio, id)
    assert made.cells[1].generation is not None
    studio.history.delete([made.cells[1].generation])
    assert studio.grids.get(id).missing == 0
    studio.history.purge()
    assert [cell.generation is None for cell in studio.grids.get(id).cells] == [False, True]
    wait_for(studio, studio.grids.resume(id), "done")
    assert studio.grids.get(id).missing == 0


def test_a_grid_that_a_killed_program_left(settings: Settings, draw: Draw) -> None:
    base = draw()
    with Studio(settings, backend="inline") as studio:
        planned = studio.grids.plan(base, [Axis("seed", (1, 2))])
        stored = {"version": 1, "base": base.model_dump(mode="json"), "axes": [{"path": "seed", "values": [1, 2]}]}
        id = studio.archive.grids.add(stored, planned.recipes)
        job = studio.archive.jobs.add("generate", {"kind": "generate", "recipes": []})
        studio.archive.grids.assign(id, job.id, [0, 1])
    with Studio(settings, backend="inline") as studio:
        left = studio.grids.get(id)
        assert left.missing == 2 and left.job_id is None
        wait_for(studio, studio.grids.resume(id), "done")
        assert studio.grids.get(id).missing == 0


# -- what is refused before anything runs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ([], "1 to 3 axes, not 0"),
        ([Axis(name, (1,)) for name in ("seed", "steps", "width", "height")], "1 to 3 axes, not 4"),
        ([Axis("seed", (1,)), Axis("seed", (2,))], "different parameters"),
        ([Axis("seed", ())], "needs a value"),
        ([Axis("seed", tuple(range(20))), Axis("steps", tuple(range(1, 14)))], "at most 256 pictures, not 260"),
        ([Axis("steps", (2, 3, 0))], "steps must be a whole number from 1 to 1000, not 0"),
        ([Axis("steps", (2.5,))], "steps must be a whole number"),
        ([Axis("width", (32, 33))], "width must be a multiple of 8"),
        ([Axis(SCALE, (1.0, 31.0))], "guidance_scale must be a number from 0 to 30, not 31"),
        ([Axis("model", ("stencil", "gone"))], "no model named 'gone'"),
        ([Axis("guidance.method", ("cfg", "cgf"))], "did you mean 'cfg'"),
        ([Axis("spacing", ("auto", "nonsense"))], "named 'nonsense'"),
        ([Axis("sampler_params.eta", (0.5,))], "no field 'eta'"),
        ([Axis("S/R", ("green", "blue"))], "No prompt has 'green'"),
    ],
)
def test_a_grid_no_engine_could_make(studio: Studio, draw: Draw, axes: list[Axis], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        studio.grids.start(draw(), axes)
    assert studio.grids.newest() == [] and studio.jobs.newest() == []


def test_unknown_grids(studio: Studio) -> None:
    for ask in (studio.grids.get, studio.grids.resume, studio.grids.write_sheet):
        with pytest.raises(NotFound, match="no grid number 7"):
            ask(7)


# -- the sheet ------------------------------------------------------------------------------------------------------


def test_the_sheet_shows_every_picture_at_its_place(studio: Studio, draw: Draw) -> None:
    axes = [Axis("seed", (1, 2, 3)), Axis("steps", (2, 3)), Axis("S/R", ("red", "blue"))]
    made = finish(studio, studio.grids.start(draw(), axes))
    path = studio.grids.write_sheet(made.id)
    data = path.read_bytes()
    with Image.open(path) as opened:
        sheet, metadata = opened.convert("RGB"), json.loads(opened.info[GRID_KEY])
    places = [find(sheet, picture(cell.image_path)) for cell in made.cells]
    for number, (left, top) in enumerate(places):
        x, y, z = made.cells[number].place
        assert left == places[0][0] + x * (SIZE_PX + 4)
        assert top == places[z * 6][1] + y * (SIZE_PX + 4)
    assert places[6][1] > places[5][1] + SIZE_PX
    assert metadata["axes"] == [{"path": axis.path, "values": list(axis.values)} for axis in axes]
    assert Recipe.load(metadata["base"]) == draw()
    assert [(studio.archive.images.path(image)) for image in metadata["images"]] == [c.image_path for c in made.cells]
    assert studio.grids.write_sheet(made.id).read_bytes() == data


def test_the_sheet_of_an_unfinished_grid_has_blanks(studio: Studio, draw: Draw) -> None:
    planned = studio.grids.plan(draw(), [Axis("seed", (1, 2))])
    stored = {"version": 1, "base": draw().model_dump(mode="json"), "axes": [{"path": "seed", "values": [1, 2]}]}
    id = studio.archive.grids.add(stored, planned.recipes)
    with Image.open(io.BytesIO(studio.grids.write_sheet(id).read_bytes())) as sheet:
        blank = Image.new("RGB", (SIZE_PX, SIZE_PX), (228, 228, 228))
        assert find(sheet.convert("RGB"), blank) and json.loads(sheet.info[GRID_KEY])["images"] == [None, None]


def test_large_pictures_are_reduced() -> None:
    recipe = Recipe(width=2048, height=1024)
    cells = tuple(GridCell((0, 0, n), recipe, None, None) for n in range(256))
    made = Grid(1, recipe, (), cells, None, datetime.now(UTC))
    width, height, scale = cell_size(made)
    assert 256 * width * height <= 12_000_000 and width == int(2048 * scale) and abs(width / height - 2) < 0.02


def test_labels_are_shortened_to_their_room() -> None:
    assert fit("short", 200) == "short"
    long = fit("a prompt " * 1000, 100)
    assert long.endswith("...") and font().getlength(long) <= 100


def picture(path: Path | None) -> Image.Image:
    assert path is not None
    with Image.open(path) as opened:
        return opened.convert("RGB")


def find(sheet: Image.Image, wanted: Image.Image) -> tuple[int, int]:
    """Where in the sheet these very pixels are: (left, top)."""
    whole, part = np.asarray(sheet), np.asarray(wanted)
    height, width = part.shape[:2]
    candidates = np.argwhere((whole[: -height + 1 or None, : -width + 1 or None] == part[0, 0]).all(-1))
    for top, left in candidates:
        if (whole[top : top + height, left : left + width] == part).all():
            return int(left), int(top)
    raise AssertionError("the picture is not in the sheet")


def test_a_cell_that_cannot_be_read_is_worked_out_again(studio: Studio, draw: Draw) -> None:
    base = draw(seed=5)
    id = studio.grids.start(base, [Axis("seed", (1, 2, 3)), Axis("steps", (2, 3))])
    whole = finish(studio, id)
    with sqlite3.connect(studio.archive.workspace.database) as database:
        database.execute("UPDATE grid_cells SET recipe = '{' WHERE cell IN (1, 4)")
    database.close()
    assert studio.grids.get(id) == whole
    with sqlite3.connect(studio.archive.workspace.database) as database:
        database.execute("UPDATE grids SET plan = json_set(plan, '$.base.version', 9)")
    database.close()
    with pytest.raises(WorkspaceError, match=f"Grid {id} of the workspace cannot be read"):
        studio.grids.get(id)


def test_a_job_that_cannot_be_read_keeps_no_grid_from_being_shown(studio: Studio, draw: Draw) -> None:
    id = studio.grids.start(draw(), [Axis("seed", (1, 2))])
    finish(studio, id)
    with sqlite3.connect(studio.archive.workspace.database) as database:
        database.execute("UPDATE jobs SET created_at = 'once'")
    database.close()
    assert studio.grids.get(id).missing == 0 and studio.grids.get(id).job_id is None
