"""Guidance on a real network: its declared cost is what the batcher runs, and mixed companies are as each one alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.order import Order, SampleOptions, plain_orders
from studio.engine.resident import base_afterwards, encoder_of, room_of
from studio.engine.sampler import sample_latents
from studio.engine.trajectory import Trajectory
from studio.guidance import GUIDANCE, NoisePoint
from studio.models.embedded import EmbeddedModel, load_stencil
from studio.models.loading import load_model
from tests.engine.edits.making import make_edit, shapes_of
from tests.tiny_model import SIZE_PX
from tests.tiny_sdxl import XL_SIZE_PX, build_xl
from tests.tolerance import rounding

# Settings beside the defaults that change what is asked, and when.
OTHERS = [
    GuidanceSpec(method="pag", params={"guidance_scale": 3.0, "pag_adaptive_scale": 0.005}),
    GuidanceSpec(method="seg", params={"blur": "mean", "layers": "down_blocks.0"}),
    GuidanceSpec(method="seg", params={"blur_sigma": 0.7, "guidance_scale": 4.0}),
    GuidanceSpec(method="slg", params={"stop": 0.6, "layers": "up_blocks, mid_block"}),
    GuidanceSpec(method="nag", params={"guidance_scale": 3.0, "start": 0.2, "stop": 0.7}),
    GuidanceSpec(method="nag", params={"nag_scale": 9.0, "nag_tau": 1.5, "nag_alpha": 1.0}),
    GuidanceSpec(method="autoguidance", params={"guidance_scale": 3.0}),
    GuidanceSpec(method="cfg_mp", params={"iterations": 1, "threshold": 0.3, "switch": 0.6}),
    GuidanceSpec(method="cfg_mp_plus", params={"guidance_scale": 1.0, "iterations": 3, "window": 2}),
    GuidanceSpec(method="z_sampling", params={"guidance_scale": 1.0, "eval_at": "frozen", "until": 0.5}),
    GuidanceSpec(method="z_sampling", params={"inversion_scale": 0.5}),
    GuidanceSpec(method="time_shift", params={"guidance_scale": 1.0, "window": 200, "cutoff": 0}),
    GuidanceSpec(method="autoguidance", params={"autoguidance_scale": 1.0}),
]
FEW = 6  # steps, of which each of the settings above has some within its window and some outside
SPECS = [*(GuidanceSpec(method=name) for name in GUIDANCE.names()), *OTHERS]
every = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.method} {spec.params or ''}")


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


@pytest.fixture(scope="module")
def weak(bundle: EmbeddedModel) -> EmbeddedModel:
    """The same model with every weight off by a tenth."""
    parts = {name: copy.deepcopy(bundle.components()[name]) for name in ("unet", "text_encoder")}
    generator = torch.Generator().manual_seed(0)
    for part in parts.values():
        for weight in part.parameters():
            weight.data += 0.1 * weight.std(correction=0) * torch.randn(weight.shape, generator=generator)
    made = bundle.with_parts(parts, "0" * 64)
    assert isinstance(made, EmbeddedModel)
    return made


def recipe(spec: GuidanceSpec, **values: object) -> Recipe:
    size = {"width": SIZE_PX, "height": SIZE_PX}
    return Recipe.load({"prompt": "a red star", "seed": 7, "steps": 8, **size, "guidance": spec.model_dump(), **values})


def latents(bundle: EmbeddedModel, weak: EmbeddedModel | None, *recipes: Recipe, max_rows: int = 32) -> list[Tensor]:
    found = dict(sample_latents(bundle, plain_orders(recipes), options=SampleOptions(max_rows, weak)))
    return [found[index] for index in range(len(recipes))]


@every
def test_declared_rows_are_what_is_run(spec: GuidanceSpec, bundle: EmbeddedModel, weak: EmbeddedModel) -> None:
    one = recipe(spec)
    trajectory = Trajectory(
        0,
        one,
        bundle,
        Conditions.of(one, encoder_of(bundle)),
        weak=Conditions.of(one, encoder_of(weak)),
    )
    grid, method = bundle.grid(one.steps), trajectory.guidance
    levels = [NoisePoint(a, s, t) for a, s, t in zip(grid.a, grid.s, grid.timesteps, strict=False)]
    declared = [method.rows(i, len(levels), at) for i, at in enumerate(levels)]
    batcher = Batcher(bundle, room_of(bundle), weak=weak)
    after: list[int] = []
    with torch.inference_mode():
        list(batcher.run([trajectory], lambda report: after.append(batcher.rows), lambda: False))
    run = [rows - before for rows, before in zip(after, [0, *after], strict=False)]
    assert run == declared
    assert max(run) <= method.nfe() and trajectory.rows == batcher.rows


@pytest.fixture(scope="module")
def plain(bundle: EmbeddedModel) -> Tensor:
    """A run without any of it, before all others."""
    return latents(bundle, None, recipe(GuidanceSpec()))[0]


@pytest.fixture(scope="module")
def each(bundle: EmbeddedModel, weak: EmbeddedModel, plain: Tensor) -> list[Tensor]:
    """Every method alone, in few steps."""
    return [latents(bundle, weak, recipe(spec, batching="isolated", steps=FEW))[0] for spec in SPECS]


def test_a_mixed_company_equals_each_alone(bundle: EmbeddedModel, weak: EmbeddedModel, each: list[Tensor]) -> None:
    """All methods at once, several with different layers and widths; to rounding."""
    mixed = [recipe(spec, batching="shared", steps=FEW) for spec in SPECS]
    for max_rows in (4, 32):
        for one, alone, made in zip(mixed, each, latents(bundle, weak, *mixed, max_rows=max_rows), strict=True):
            # Anderson mixing divides by the difference of two residuals that on a random network are nearly one.
            near = 2e-3 if one.guidance.method == "cfg_mp_plus" else 1e-4
            where = f"{max_rows} {one.guidance}"
            torch.testing.assert_close(
                made, alone, rtol=near, atol=near, msg=lambda text, where=where: f"{where}: {text}"
            )


def test_edits_count_in_perturbed_rows_too(bundle: EmbeddedModel, weak: EmbeddedModel) -> None:
    """Rows of the base and of two edits of the very layers that are perturbed or guided, in one evaluation."""
    shapes = {path: shape for path, shape in shapes_of(bundle.unet).items() if ".attn1." in path or ".attn2." in path}
    edits = [EditStack.of([(make_edit(shapes, seed), 1.0)]) for seed in (1, 2)]
    specs = [
        GuidanceSpec(method=name, params={"guidance_scale": 3.0}) for name in ("pag", "seg", "nag", "autoguidance")
    ]
    mixed = [Order(recipe(spec, batching="shared"), stack) for spec in specs for stack in (EMPTY, *edits)]
    options = SampleOptions(weak=weak)
    with base_afterwards(bundle):
        together = dict(sample_latents(bundle, mixed, options=options))
        bare = {}
        for index, order in enumerate(mixed):
            alone = replace(order, recipe=order.recipe.model_copy(update={"batching": "isolated"}))
            ((_, made),) = sample_latents(bundle, [alone], options=options)
            torch.testing.assert_close(together[index], made, rtol=1e-4, atol=1e-4)
            bare.setdefault(order.recipe.guidance.method, made)
            assert order.stack is EMPTY or (made - bare[order.recipe.guidance.method]).abs().max() > 1e-3
    assert room_of(bundle).equals_base()


def test_perturbs_the_larger_family_too(tmp_path: Path) -> None:
    """SDXL's own default layers, with several blocks to a stage, at a size whose levels are not square."""
    build_xl(tmp_path / "xl")
    bundle = load_model(tmp_path / "xl", name="xl")
    size = {"model": "xl", "width": XL_SIZE_PX * 2, "height": XL_SIZE_PX, "steps": 3}
    specs = [
        GuidanceSpec(params={"guidance_scale": 1.0}),
        *(GuidanceSpec(method=name) for name in ("pag", "seg", "nag")),
    ]
    specs.append(GuidanceSpec(method="slg", params={"stop": 1.0}))
    mixed = [recipe(spec, **size, batching="shared") for spec in specs]
    together = dict(sample_latents(bundle, plain_orders(mixed)))
    for index, one in enumerate(mixed):
        ((_, alone),) = sample_latents(bundle, [Order(one.model_copy(update={"batching": "isolated"}))])
        torch.testing.assert_close(together[index], alone, rtol=1e-4, atol=1e-4)
        assert index == 0 or (alone - together[0]).abs().max() > 1e-4, specs[index]


def test_every_method_makes_a_picture_of_its_own(bundle: EmbeddedModel, each: list[Tensor]) -> None:
    """So that equality above is not that of methods which do nothing."""
    specs = [GuidanceSpec(params={"guidance_scale": 1.0}), *SPECS[:-1]]
    made = [*latents(bundle, None, recipe(specs[0], batching="isolated", steps=FEW)), *each[:-1]]
    for k, one in enumerate(made):
        for j, other in enumerate(made[:k]):
            assert (one - other).abs().max() > 1e-3, (specs[k], specs[j])


def test_perturbed_and_plain_rows_share_an_evaluation(
    bundle: EmbeddedModel, weak: EmbeddedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one seed: the first step asks for c once, for u once, and for each perturbation."""
    seen: list[int] = []
    predict = bundle.predict
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: (seen.append(len(x)), predict(x, t, cond))[1])
    specs = [GuidanceSpec(method=name, params={"guidance_scale": 3.0}) for name in ("cfg", "pag", "seg")]
    latents(bundle, weak, *(recipe(spec, batching="shared") for spec in specs))
    assert seen == [4, *[8] * 7]


def test_the_network_alone_is_told_a_shifted_time(bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a step share it; the first step and those from the cutoff on are at their own."""
    told: list[list[float]] = []
    predict = bundle.predict
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: (told.append(t.tolist()), predict(x, t, cond))[1])
    latents(bundle, None, recipe(GuidanceSpec(method="time_shift", params={"window": 100, "cutoff": 500})))
    times = bundle.grid(8).timesteps
    shifts = [first - time for (first, _), time in zip(told, times, strict=True)]
    assert all(first == second for first, second in told)
    allowed = [k > 0 and time > 500 for k, time in enumerate(times)]
    assert any(shifts) and all(abs(shift) <= 50 for shift in shifts)
    assert not any(shift for shift, may in zip(shifts, allowed, strict=True) if not may)


def test_the_plain_run_after_it_is_bit_equal(
    bundle: EmbeddedModel, weak: EmbeddedModel, plain: Tensor, each: list[Tensor]
) -> None:
    assert torch.equal(latents(bundle, weak, recipe(GuidanceSpec()))[0], plain)


def test_the_weak_model_reads_the_prompt_itself(bundle: EmbeddedModel, weak: EmbeddedModel) -> None:
    """Its denoiser learnt beside its own text encoder: with the main one's, the picture is another."""
    auto = recipe(GuidanceSpec(method="autoguidance"))
    half = bundle.with_parts({"unet": weak.unet}, "0" * 64)
    assert isinstance(half, EmbeddedModel)
    (own,), (borrowed,) = latents(bundle, weak, auto), latents(bundle, half, auto)
    assert (own - borrowed).abs().max() > 1e-3


def test_a_weak_model_equal_to_the_main_one_is_no_guidance(bundle: EmbeddedModel) -> None:
    unguided = recipe(GuidanceSpec(params={"guidance_scale": 1.0}))
    auto = recipe(GuidanceSpec(method="autoguidance", params={"autoguidance_scale": 3.0}))
    torch.testing.assert_close(
        latents(bundle, bundle.with_parts({}, ""), auto)[0],  # type: ignore[arg-type]
        latents(bundle, None, unguided)[0],
        rtol=0,
        atol=rounding(torch.float32, 20, 4),
    )


def test_without_a_weak_model_it_is_refused_in_one_sentence(bundle: EmbeddedModel) -> None:
    with pytest.raises(BadInput) as caught:
        latents(bundle, None, recipe(GuidanceSpec(method="autoguidance")))
    assert str(caught.value).startswith(
        "The guidance method autoguidance needs an early checkpoint of the model, and stencil has none. Take"
    )


def test_a_layer_that_does_not_exist_is_refused_and_the_next_run_is_fine(bundle: EmbeddedModel) -> None:
    with pytest.raises(BadInput, match="no self-attention at layers 'middle'; it has some at down_blocks.0"):
        latents(bundle, None, recipe(GuidanceSpec(method="pag", params={"layers": "middle"})))
    assert latents(bundle, None, recipe(GuidanceSpec(method="pag")))[0].isfinite().all()
