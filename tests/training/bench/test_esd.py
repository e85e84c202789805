"""The bench of ESD: the other side is the authors' training, both are looked at alike, and their time is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from studio.core.errors import StudioError
from studio.core.recipe import Recipe as Picture
from studio.engine.bench import CASES, Bench, table
from studio.engine.bench.edits import their_pipeline
from studio.engine.bench.pairs import difference
from studio.engine.bench.reference import picture_of
from studio.engine.bench.results import BenchResult
from studio.engine.config import EngineConfig
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EditStack
from studio.engine.order import Order
from studio.engine.sampler import sample
from studio.training.bench import esd
from studio.training.bench.esd_recipe import WAY_SCALE, WAY_STEPS, Recipe
from tests.tiny_model import CHANNELS, SCALE, SIZE_PX, build_once
from tests.tolerance import rounding

PROMPTS = ["a red star on a white background", "a blue star"]


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder: Path = build_once(tmp_path_factory)
    config = EngineConfig({"stencil": folder}, require_checksums=False, preload=None, previews=False)
    picture = Picture(prompt=PROMPTS[0], width=SIZE_PX, height=SIZE_PX, steps=4, sampler="ddim", seed=3)
    return Bench.of(config, picture, 7, lambda pair: None)


def recipe_of(bench: Bench, lr: float = 1e-2) -> tuple[Recipe, object]:
    pipeline = their_pipeline(bench)
    return Recipe(pipeline, PROMPTS, lr), pipeline


def test_its_way_is_that_of_the_pipeline(bench: Bench) -> None:
    recipe, pipeline = recipe_of(bench)
    with torch.no_grad():
        ours = recipe.walk(recipe._hidden[:1], WAY_STEPS)
    noise = torch.randn((1, CHANNELS, SIZE_PX // SCALE, SIZE_PX // SCALE), generator=torch.Generator().manual_seed(1))
    theirs = pipeline(  # type: ignore[operator]
        PROMPTS[0],
        latents=noise,
        num_inference_steps=WAY_STEPS,
        guidance_scale=WAY_SCALE,
        width=SIZE_PX,
        height=SIZE_PX,
        output_type="latent",
    ).images
    close = rounding(torch.float32, 100 * WAY_STEPS, float(theirs.abs().max()))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=close)


def test_cross_attention_alone_learns_and_its_base_stays(bench: Bench) -> None:
    recipe, _ = recipe_of(bench)
    before = {name: weight.detach().clone() for name, weight in recipe.unet.named_parameters()}
    frozen = {name: weight.clone() for name, weight in recipe._frozen.named_parameters()}
    for _ in range(2):
        recipe.step()
    changed = {name for name, weight in recipe.unet.named_parameters() if not torch.equal(weight, before[name])}
    assert changed and all(".attn2." in name for name in changed)
    assert changed == set(recipe.weights), "all of it, keys and values as well as queries and what they come to"
    assert recipe.nbytes == 4 * sum(before[name].numel() for name in changed)
    assert all(torch.equal(weight, frozen[name]) for name, weight in recipe._frozen.named_parameters())


def test_it_learns_what_a_negative_prompt_leaves(bench: Bench) -> None:
    recipe, _ = recipe_of(bench, lr=0)
    generator = torch.Generator().manual_seed(1)
    prompt = int(torch.randint(2, (1,), generator=generator))
    stop = int(torch.randint(WAY_STEPS, (1,), generator=generator))
    hidden, frozen = recipe._hidden[prompt : prompt + 1], recipe._frozen
    loss = recipe.step()
    with torch.no_grad():
        recipe._generator = generator
        x = recipe.walk(hidden, stop)
        t = recipe._schedule.timesteps[stop]
        given, plain = (frozen(x, t, text).sample for text in (hidden, recipe._empty))
    gap = float((2 * (given - plain)).square().mean())  # of a model that has learned nothing, twice the guidance
    assert loss == pytest.approx(gap, rel=1e-3) and gap > 0


def test_what_it_learned_draws_as_the_pipeline_does_with_it(bench: Bench) -> None:
    recipe, pipeline = recipe_of(bench, lr=0.05)
    before = {name: weight.detach().clone() for name, weight in recipe.weights.items()}
    untrained = drawn(bench, None)
    for _ in range(3):
        recipe.step()
    edit = esd.change(before, recipe.weights)
    theirs = picture_of(pipeline, bench.recipe)
    ours = drawn(bench, edit)
    assert difference([ours], [untrained]) > 4, "it has learned something"
    assert difference([ours], [theirs]) <= 1


def drawn(bench: Bench, edit: Edit | None) -> np.ndarray:
    stack = EditStack.of([(edit, 1.0)] if edit is not None else [])
    return dict(sample(bench.bundle, [Order(bench.recipe, stack)]))[0]


def test_time_is_that_of_learning_until_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("studio.training.bench.esd.time.perf_counter", lambda: clock[0])
    edit = Edit(name="x", kind="dense", layers={"unet": {"a": esd.Dense(torch.ones(2, 2))}})

    def step() -> None:
        clock[0] += 1

    side = esd.Side(step, lambda: edit, 16, 10)
    rates = iter((0.2, 0.9, 0.95, 0.5))

    def look(_: Edit) -> float:
        clock[0] += 100  # is not counted
        return next(rates)

    for _ in range(4):
        side.go_on(look)
    assert [(look.steps, look.seconds) for look in side.looks] == [(10, 10), (20, 20), (30, 30), (40, 40)]
    assert side.best == 0.95 and side.first(0.9).steps == 20
    with pytest.raises(StudioError, match="came to 0.95 at most, not to 0.99"):
        side.first(0.99)


@pytest.mark.slow
def test_both_sides_erase(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK", "FINAL", "SEEDS", "STEPS", "LOOKS", "OUR_STEPS", "THEIR_STEPS"):
        monkeypatch.setattr(esd, name, 2)
    result = CASES.get("esd")(bench)
    assert isinstance(result, BenchResult) and "esd" in table([result])
    assert result.pairs == 2 and result.ours_s > 0 and result.theirs_s > 0 and "of 2 pictures" in result.limit
