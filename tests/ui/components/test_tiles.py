"""Past pictures as tiles: those of one job as one, and what is said of several."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.ui import exports
from studio.ui.components import caption, gallery, history
from studio.ui.components.query import Query
from studio.ui.components.tiles import Batch, batches, tiles_html
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file


def made(fake: FakeStudio, count: int, prompt: str = "a star") -> None:
    fake.ended(fake.pictures.submit([Recipe(prompt=prompt, seed=seed, steps=1) for seed in range(count)]))


def test_pictures_of_one_job_are_one_tile_that_shows_them_all(fake: FakeStudio) -> None:
    made(fake, 1)
    made(fake, 3)
    shown = batches(fake.history.newest())
    assert [batch.ids for batch in shown] == [(2, 3, 4), (1,)]
    html = tiles_html(shown)
    assert 'data-all="2,3,4"' in html and html.count("data-pick") == 1 and html.count('class="count"') == 1
    assert "3 pictures, seeds 0 to 2" in html


def test_a_picture_that_is_drawn_again_and_again_is_one_tile_with_the_newest_on_it(
    fake: FakeStudio, tmp_path: Path
) -> None:
    edit = fake.edits.import_file(edit_file(tmp_path / "mine.safetensors", "mine")).id
    star = Recipe(prompt="a star", seed=7, steps=1)

    def drawn(*recipes: Recipe, strength: float | None = None) -> None:
        edits = () if strength is None else (EditRef(edit=edit, strength=strength),)
        fake.ended(fake.pictures.submit([recipe.model_copy(update={"edits": edits}) for recipe in recipes]))

    for strength in (None, 0.5, 0.9):
        drawn(star, strength=strength)
    drawn(star.model_copy(update={"prompt": "a ring"}), strength=0.9)
    drawn(star)  # a picture between them: this is another time
    drawn(star)  # the same once more, as by Generate
    assert [batch.ids for batch in batches(fake.history.newest())] == [(6,), (5,), (4,), (1, 2, 3)]
    html = tiles_html(batches(fake.history.newest())[-1:])
    assert 'data-all="1,2,3"' in html and "/pictures/3.png" in html and "/pictures/1.png" not in html
    assert f"3 pictures of seed 7, strength of {edit} 0 to 0.9" in html

    both = star, star.model_copy(update={"seed": 8})  # batches are made to be compared
    drawn(*both)
    drawn(*both, strength=0.5)
    assert [batch.ids for batch in batches(fake.history.newest())][:2] == [(9, 10), (7, 8)]


def test_the_redraws_of_a_row_are_one_tile_and_comparisons_and_sweeps_one_each(fake: FakeStudio) -> None:
    def drawn(*rules: tuple[str, float], seeds: tuple[int, ...] = (1,)) -> None:
        specs = [GuidanceSpec(method=method, params={"guidance_scale": scale}) for method, scale in rules]
        recipes = [Recipe(prompt="a ring", steps=1, seed=seed, guidance=spec) for seed in seeds for spec in specs]
        fake.ended(fake.pictures.submit(recipes, origin="guidance"))

    drawn(("cfg", 2.0), ("apg", 4.0), seeds=(1, 2))
    for scale in (3.0, 5.0, 4.5):
        drawn(("cfg", scale), seeds=(1, 2))
    for method in ("cfg", "apg"):
        drawn(*((method, scale) for scale in (1.0, 2.0)))
    shown = batches(fake.history.newest())
    assert [batch.ids for batch in shown] == [(13, 14), (11, 12), tuple(range(5, 11)), (1, 2, 3, 4)]
    assert [batch.redrawn for batch in shown] == [False, False, True, False]


def test_a_job_of_many_pictures_pushes_no_other_out_of_the_history(fake: FakeStudio) -> None:
    for prompt in "abcd":
        made(fake, 1, prompt)
    made(fake, 40, "sweep")
    shown, has_more, _ = history.tiles_of(fake, Query(limit=4))
    assert [len(batch.pictures) for batch in shown] == [40, 1, 1, 1] and has_more
    whole, has_more, _ = history.tiles_of(fake, Query(limit=5))
    assert len(whole) == 5 and not has_more
    older, _, _ = history.tiles_of(fake, history.more(Query(limit=480), shown[0].pictures[-1].id))
    assert [batch.ids for batch in older] == [(4,), (3,), (2,), (1,)]


def test_in_the_bin_each_picture_is_its_own(fake: FakeStudio) -> None:
    made(fake, 3)
    fake.history.delete([1, 2, 3])
    html = history.past(fake, Query(in_bin=True))
    assert html.count("data-pick") == 3 and 'data-marked="unbin"' in html and 'data-marked="bin"' not in html


def test_what_can_be_done_to_several_is_there_with_the_pictures(fake: FakeStudio) -> None:
    assert "data-select" not in gallery.gallery_html([], 0, Query())
    made(fake, 1)
    html = history.past(fake, Query())
    assert 'data-marked="bin"' in html and "Mark several" in html


SCALES = [Recipe(seed=7, guidance=GuidanceSpec(params={"guidance_scale": scale})) for scale in (0.0, 6.0, 30.0)]


WITH_EDITS = [
    Recipe(seed=7, edits=(EditRef(edit="a_b", strength=0.5, stop=0.5),)),
    Recipe(seed=7, edits=(EditRef(edit="a_b"), EditRef(edit="c", strength=-2.0))),
]


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        ([Recipe(seed=seed) for seed in (7, 8, 9)], "3 pictures, seeds 7 to 9"),
        ([Recipe(seed=seed) for seed in (7, 1)], "2 pictures, 2 seeds"),
        (SCALES, "3 pictures of seed 7, guidance scale 0 to 30"),
        ([Recipe(seed=7), Recipe(seed=7, guidance=GuidanceSpec(method="apg"))], "2 pictures of seed 7, several kinds"),
        ([Recipe(seed=7, prompt="a"), Recipe(seed=7, prompt="b")], "2 pictures of seed 7, several prompts"),
        ([Recipe(seed=7, steps=5), Recipe(seed=7, steps=9)], "2 pictures of seed 7, steps 5 to 9"),
        (
            WITH_EDITS,
            "2 pictures of seed 7, strength of a_b 0.5 to 1, several settings of edits, strength of c -2 to 0",
        ),
    ],
)
def test_several_pictures_are_told_by_what_differs(recipes: list[Recipe], said: str) -> None:
    assert caption.together(recipes).startswith(said)
    assert said in caption.many_html(recipes)


def test_several_pictures_go_out_as_one_file_of_their_own_files(fake: FakeStudio) -> None:
    made(fake, 3)
    client = TestClient(Starlette(routes=exports.routes(fake)))
    with zipfile.ZipFile(io.BytesIO(client.get("/pictures.zip?ids=1,3,3").content)) as archive:
        assert archive.namelist() == ["palimpsest-00001-seed-0.png", "palimpsest-00003-seed-2.png"]
        assert archive.read("palimpsest-00001-seed-0.png") == fake.history.get(1).image_path.read_bytes()
    for wrong in ("", "x", "1,,2", "9" * 30, "1,99", "-1", ",".join(["1"] * 481)):
        assert client.get(f"/pictures.zip?ids={wrong}").status_code == 404, wrong
    fake.history.get(1).image_path.unlink()
    gone = client.get("/pictures.zip?ids=1")
    assert gone.status_code == 404 and "picture 1 is gone" in gone.text
    assert not list(fake.archive.workspace.root.glob("**/palimpsest-pictures.zip"))


def test_a_tile_says_what_is_starred_and_escapes() -> None:
    class Picture:
        id, sha256, recipe, favourite, job_id = 1, "ab" * 32, Recipe(prompt="<i>"), True, "j"

    html = tiles_html([Batch((Picture(), Picture()))])  # type: ignore[arg-type]
    assert "<i>" not in html and "★" in html and re.search(r'class="count"[^>]*>2<', html)
