"""What a run tells of its guidance, and what wrappers save, on a real network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.recipe import Recipe
from studio.engine.order import Order, SampleOptions
from studio.engine.sampler import sample_latents
from studio.engine.trajectory import StepReport
from studio.guidance import build
from studio.guidance.diagnostics import quantities
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.tiny_model import SIZE_PX

STEPS = 5


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def run(
    bundle: EmbeddedModel, guidance: dict[str, Any], diagnose: bool = True, **values: Any
) -> tuple[Tensor, list[StepReport]]:
    reports: list[StepReport] = []
    fields = {"prompt": "a red star", "seed": 3, "width": SIZE_PX, "height": SIZE_PX, "steps": STEPS, **values}
    recipe = Recipe.load({**fields, "guidance": guidance})
    [(_, latents)] = sample_latents(bundle, [Order(recipe)], reports.append, options=SampleOptions(diagnose=diagnose))
    return latents, reports


CFG = {"method": "cfg", "params": {"guidance_scale": 4.0}}


def test_every_step_tells_what_guidance_did(bundle: EmbeddedModel) -> None:
    _, reports = run(bundle, CFG)
    assert len(reports) == STEPS and "turn" not in reports[0].diag
    declared = set(quantities(build(Recipe.load({"guidance": CFG}).guidance)))
    assert set(reports[-1].diag) == declared
    for report in reports:
        assert report.diag["w_eff"] == pytest.approx(4.0, rel=1e-4)
        assert report.diag["rel_update"] == pytest.approx(3 * report.diag["gap"], rel=1e-4)


def test_telling_changes_no_bit_and_silence_tells_nothing(bundle: EmbeddedModel) -> None:
    told, _ = run(bundle, CFG)
    quiet, reports = run(bundle, CFG, diagnose=False)
    assert torch.equal(told, quiet) and not any(report.diag for report in reports)


def test_an_interval_saves_rows_and_its_ends_are_known_pictures(bundle: EmbeddedModel) -> None:
    def boxed(start: float, stop: float) -> tuple[Tensor, int]:
        wrapper = {"wrapper": "interval", "params": {"start": start, "stop": stop}}
        latents, reports = run(bundle, {**CFG, "wrappers": [wrapper]})
        return latents, reports[-1].rows

    plain, full = run(bundle, {"params": {"guidance_scale": 1.0}})[0], run(bundle, CFG)[0]
    for start, stop, expected, rows in ((0.4, 0.4, plain, STEPS), (0.0, 1.0, full, 2 * STEPS)):
        latents, asked = boxed(start, stop)
        assert torch.equal(latents, expected) and asked == rows
    latents, asked = boxed(0.2, 0.6)
    assert asked == STEPS + 2 and not torch.equal(latents, full) and not torch.equal(latents, plain)


def test_several_negatives_are_rows_of_their_own(bundle: EmbeddedModel) -> None:
    more = [{"prompt": "a blue circle", "weight": 0.5}]
    _, reports = run(bundle, {"method": "perp_neg"}, negative_prompt="green", more_negatives=more)
    assert reports[-1].rows == 4 * STEPS
    assert {"overlap", "perpendicular"} <= set(reports[0].diag)


def test_wrappers_of_every_kind_run_together(bundle: EmbeddedModel) -> None:
    wrappers = [
        {"wrapper": "schedule", "params": {"curve": "cosine", "first": 1.0, "last": 0.5}},
        {"wrapper": "interval", "params": {"stop": 0.8}},
        {"wrapper": "sum", "params": {"weight": 0.5}, "added": {"method": "pag"}},
        {"wrapper": "rescale"},
        {"wrapper": "threshold"},
    ]
    latents, reports = run(bundle, {**CFG, "wrappers": wrappers})
    assert latents.isfinite().all() and "degraded_gap (added)" in reports[0].diag
    assert reports[-1].rows == 4 * 3 + 2  # in the last step the plain row and that of pag
