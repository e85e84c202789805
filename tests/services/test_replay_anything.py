"""Any recipe replays to the bit: by a new process, in other company, after other models were in between."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from studio.core.errors import BadInput, EngineError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.diffusion.solvers import SOLVERS
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_of_folder
from studio.engine.events import Event
from studio.guidance import GUIDANCE
from studio.services.checks import check_recipes
from studio.services.history import Generation
from studio.services.studio import Studio
from studio.storage.png import read_png
from tests.engine.edits.making import make_edit
from tests.services.random_recipes import SPACINGS, SYNTAXES, draw_recipe
from tests.tiny_model import build
from tests.tiny_sdxl import build_xl

OTHERS = ("another", "xl")


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two more models beside the small one: of another parameterisation, and of another family."""
    folder = tmp_path_factory.mktemp("models")
    build(folder / "another", "epsilon")
    build_xl(folder / "xl")
    return folder


@pytest.mark.parametrize(
    ("model", "count", "most_steps"),
    [
        pytest.param("tiny", 25, 4, id="25 on a small model"),
        pytest.param("tiny", 250, 12, id="250 on a small model", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
        pytest.param("stencil", 250, 6, id="250 on Stencil", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_random_recipes_replay_bit_equal_after_restart_and_model_switch(
    tiny_model: Path,
    stencil_dir: Path,
    models_dir: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    model: str,
    count: int,
    most_steps: int,
) -> None:
    if count < 100:  # the long ones begin each process anew, as the studio does
        request.getfixturevalue("quick_workers")
    folder = tiny_model if model == "tiny" else stencil_dir
    settings = Settings(
        workspace=tmp_path / "workspace", model_dir=folder, models_dir=models_dir, device="cpu", threads=1, port=0
    )
    chance = random.Random(count)
    with Studio(settings) as studio:
        edits = add_edits(studio, folder, tmp_path)
        names = [chance.choice(("stencil", "stencil", *OTHERS)) for _ in range(count)]
        methods = {name: usable(studio, name) for name in set(names)}
        drawn = (
            draw_recipe(chance, number, name, methods[name], edits if name == "stencil" else (), most_steps)
            for number, name in enumerate(names)
        )
        recipes, made = made_one_by_one(studio, drawn)
        first_pid = studio.status().pid
    assert count - len(recipes) <= 0.02 * count
    count = len(recipes)
    assert {recipe.sampler for recipe in recipes} == set(SOLVERS.names())
    assert {recipe.spacing for recipe in recipes} == set(SPACINGS)
    assert {recipe.guidance.method for recipe in recipes} == set(methods["stencil"])
    assert {recipe.syntax for recipe in recipes} == set(SYNTAXES)
    assert {bool(recipe.edits) for recipe in recipes} == {True, False} and {*OTHERS} < {one.model for one in recipes}

    told = [read_png(one.image_path).recipe for one in made]  # what a picture itself says, and nothing besides
    assert [(one.prompt, one.seed) for one in told] == [(one.prompt, one.seed) for one in recipes]
    order = chance.sample(range(count), count)  # whoever was alone before has company now, and the other way round
    with Studio(settings) as studio:
        switch(studio)
        again = dict(zip(order, made_in_jobs(studio, [told[index] for index in order]), strict=True))
        assert studio.status().pid != first_pid
    assert [read_png(again[index].image_path).recipe for index in range(count)] == told
    different = [index for index in range(count) if pixels(made[index]) != pixels(again[index])]
    assert not different, [recipes[index].canonical_json() for index in different]
    assert len({pixels(one) for one in made}) > 0.9 * count, "they are different pictures"


def usable(studio: Studio, model: str) -> list[str]:
    """Methods of guidance that a model has what they need for: one of them wants an early checkpoint of it."""
    found: list[str] = []
    for name in GUIDANCE.names():
        try:
            check_recipes([Recipe(model=model, guidance=GuidanceSpec(method=name))], studio.sources)
            found.append(name)
        except BadInput as error:
            assert "early checkpoint" in str(error)
    return found


def add_edits(studio: Studio, model: Path, folder: Path) -> list[str]:
    """Edits of attention, of convolutions, and of the text encoder."""
    layers = layout_of_folder(model).components
    attention = {path: shape for path, shape in layers["unet"].items() if ".attn" in path}
    convolutions = {path: shape for path, shape in layers["unet"].items() if ".conv1" in path}
    words = {path: shape for path, shape in layers["text_encoder"].items() if "_proj" in path}
    made = (
        make_edit(attention, 1, size=0.05, name="attention"),
        make_edit(convolutions, 2, "dense", size=0.02, name="convolutions"),
        make_edit(words, 3, component="text_encoder", size=0.05, name="words"),
    )
    ids: list[str] = []
    for edit in made:
        file = folder / f"{edit.name}.safetensors"
        file.write_bytes(to_bytes(edit))
        ids.append(studio.edits.import_file(file).id)
    return ids


def switch(studio: Studio) -> None:
    """Draw once on every model, ending with the first."""
    for model in ("stencil", *OTHERS, "stencil"):
        studio.pictures.draw([Recipe(model=model, prompt="a blue square", width=32, height=32, steps=2)])


def made_one_by_one(studio: Studio, recipes: Iterable[Recipe]) -> tuple[list[Recipe], list[Generation]]:
    """Recipes and their pictures, but for those of settings so extreme that the engine found no picture there."""
    kept: list[Recipe] = []
    made: list[Generation] = []
    for recipe in recipes:
        try:
            made += studio.pictures.draw([recipe])
            kept.append(recipe)
        except EngineError as error:
            assert "stopped being numbers" in str(error), recipe.canonical_json()
            print("no picture:", recipe.canonical_json())
    return kept, made


def made_in_jobs(studio: Studio, recipes: list[Recipe], size: int = 25) -> list[Generation]:
    """The pictures in the order of their recipes; a job makes them in another, one model after the other."""
    found: list[Generation] = []
    for at in range(0, len(recipes), size):
        events: list[Event] = []
        made = studio.pictures.draw(recipes[at : at + size], events.append)
        places = [event.data["image"] for event in events if event.kind == "image"]
        found += [one for _, one in sorted(zip(places, made, strict=True), key=lambda pair: pair[0])]
    return found


def pixels(one: Generation) -> bytes:
    with Image.open(one.image_path) as image:
        return image.tobytes()
