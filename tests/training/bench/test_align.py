"""The bench of a training's step does the same work on both sides: equal factors have equal losses and gradients."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from studio.core.recipe import Recipe as Picture
from studio.engine.bench import CASES, Bench, page, table
from studio.engine.bench.edits import their_pipeline
from studio.engine.bench.results import BenchResult
from studio.engine.config import EngineConfig
from studio.training.bench.align import BATCH, BETA, LR, RANK, drawn_pairs, our_training
from studio.training.bench.recipe import Recipe
from studio.training.lora.losses import terms_of
from studio.training.lora.questions import ask
from tests.tiny_model import SIZE_PX, build_once
from tests.tolerance import rounding


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder: Path = build_once(tmp_path_factory)
    config = EngineConfig({"stencil": folder}, require_checksums=False, preload=None, previews=False)
    return Bench.of(config, Picture(prompt="a star", width=SIZE_PX, height=SIZE_PX, steps=2), 7, lambda pair: None)


def test_both_sides_are_timed(bench: Bench) -> None:
    result = CASES.get("align")(bench)
    assert isinstance(result, BenchResult) and "align" in table([result]) and "align" in page([result])
    assert result.pairs == 7 and result.ours_s > 0 and result.theirs_s > 0 and result.goal == 1.3


def test_equal_factors_have_equal_losses_and_gradients(bench: Bench) -> None:
    prompts, pictures = drawn_pairs(SIZE_PX)
    training = our_training(bench.bundle, prompts, pictures)
    layers = [path for _, path in training.edit.factors]
    theirs = Recipe(their_pipeline(bench), layers, prompts, pictures, BATCH, RANK, LR, BETA)
    generator = torch.Generator().manual_seed(2)
    modules = dict(theirs.unet.named_modules())
    for (_, path), factors in training.edit.factors.items():
        for factor, name in ((factors.A, "lora_A"), (factors.B, "lora_B")):
            value = 0.1 * torch.randn(factor.shape, generator=generator)
            factor.data.copy_(value)
            getattr(modules[path], name)["default"].weight.data[: value.shape[0], : value.shape[1]].copy_(value)
    batch = training.batches.placed(torch.arange(BATCH), generator)
    frozen, student = ([(batch, need) for need in training.loss.needs if need.by == by] for by in ("frozen", "student"))
    with torch.no_grad():
        answers = ask(frozen, bench.bundle)
    with training.edit.applied(rows=[1.0] * (2 * BATCH)):
        answers |= ask(student, bench.bundle)
    predictions = {
        need.name: batch.truth(need.state) if need.by == "truth" else answers[id(batch), need.name]
        for need in training.loss.needs
    }
    ours = terms_of(training.loss, predictions, {"weight": torch.ones(BATCH)})["preference"]
    truths = [batch.truth(state) for state in ("x", "loser")]
    noise = torch.cat([truth.eps for truth in truths])
    target = torch.cat([truth.a * truth.eps - truth.s * truth.x0 for truth in truths])
    assert bench.bundle.parameterisation == "v_prediction" and torch.equal(noise[:BATCH], noise[BATCH:])
    hidden = bench.bundle.encode(tuple(prompts[:BATCH])).tokens.clone().repeat(2, 1, 1)
    noisy = torch.cat([batch.at("x"), batch.at("loser")])
    loss = theirs.loss(noisy, batch.t.repeat(2), hidden, target)
    close = rounding(torch.float32, 300)
    torch.testing.assert_close(ours.detach(), loss.detach(), rtol=0, atol=close)
    assert float((loss.detach() - math.log(2)).abs()) > 10 * close, "the factors do something"
    factor = next(iter(training.edit.factors.values())).B
    (our_gradient,) = torch.autograd.grad(ours, [factor])
    (their_gradient,) = torch.autograd.grad(loss, [modules[layers[0]].lora_B["default"].weight])  # type: ignore[index]
    close = rounding(torch.float32, 3000, float(our_gradient.abs().max()))
    torch.testing.assert_close(our_gradient, their_gradient[:, : factor.shape[1]], rtol=0, atol=close)
