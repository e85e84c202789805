"""Ours against diffusers' guiders where those are healthy; where they are not, the defect held fast.

Each xfail says what should hold. It is strict: when an upgrade mends a guider the test passes, which is reported.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Kind, from_x0
from studio.guidance import GUIDANCE, State, build
from studio.guidance.diffusers_guiders import DISABLED
from tests.guidance.stepping import AT, Step, by_condition, random

guiders: Any = importlib.import_module("diffusers.guiders")
mended = pytest.mark.xfail(strict=True, raises=AssertionError)


def steps(method: str, params: dict[str, Any], kind: Kind, first: int = 0) -> list[Tensor]:
    """Three steps of a run, predictions changing from step to step."""
    guidance = build(GuidanceSpec(method=method, params=params))
    state: State = guidance.init(random(0).shape)
    made: list[Tensor] = []
    for i in range(3):
        step = Step(by_condition({"pos": random(10 * i), "empty": random(10 * i + 1)}), random(100 + i), kind)
        guided = step.run(guidance, state, first + i)
        state = guided.state
        made.append(guided.x0)
    return made


RMS = 1 / random(0)[0].numel() ** 0.5  # their norm limit of 1, per element as ours


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize(
    ("ours", "params", "theirs", "their_params", "tolerance"),
    [
        ("cfg", {"guidance_scale": 6.0}, "cfg", {"guidance_scale": 6.0}, 1e-9),
        ("cfg", {"guidance_scale": 6.0, "rescale": 0.7}, "cfg", {"guidance_scale": 6.0, "guidance_rescale": 0.7}, 1e-9),
        (
            "zero_star",
            {"guidance_scale": 4.0, "zero_steps": 0},
            "zero_star",
            {"guidance_scale": 4.0, "zero_init_steps": 0},
            1e-5,
        ),
        (
            "tangential",
            {"guidance_scale": 4.0, "space": "raw"},
            "tangential",
            {"guidance_scale": 4.0},
            2e-4,
        ),
        # With eta 1 theirs is u + w*m; ours c + (w-1)*m differs unless m is D, so without momentum and limit.
        (
            "apg",
            {"guidance_scale": 4.0, "eta": 1.0, "momentum": 0.0, "norm_threshold_rms": 0.0, "space": "raw"},
            "apg",
            {
                "guidance_scale": 4.0,
                "adaptive_projected_guidance_momentum": 0.0,
                "adaptive_projected_guidance_rescale": 0.0,
            },
            1e-9,
        ),
    ],
)
def test_parity_on_the_raw_output(
    ours: str, params: dict[str, Any], theirs: str, their_params: dict[str, Any], tolerance: float, kind: Kind
) -> None:
    if ours == "zero_star" and kind != "flow":
        pytest.skip("ours works on velocities whatever the network puts out")
    expected = steps(f"diffusers_{theirs}", their_params, kind)
    for mine, other in zip(steps(ours, params, kind), expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("space", ["x0", "raw"])
def test_apg_as_the_paper_means_it(space: str) -> None:
    """With the original formulation and scale w-1, their guider is ours, momentum and norm limit included."""
    params = {"guidance_scale": 5.0, "eta": 0.2, "momentum": -0.5, "norm_threshold_rms": RMS, "space": space}
    guider = guiders.AdaptiveProjectedGuidance(
        guidance_scale=4.0, eta=0.2, adaptive_projected_guidance_rescale=1.0, use_original_formulation=True
    )
    guider.momentum_buffer = importlib.import_module(type(guider).__module__).MomentumBuffer(-0.5)
    for i, mine in enumerate(steps("apg", params, "v_prediction")):
        c, u, x = random(10 * i), random(10 * i + 1), random(100 + i)

        def there(x0: Tensor, x: Tensor = x) -> Tensor:
            return x0 if space == "x0" else from_x0("v_prediction", x0, x, AT.a, AT.s)

        guider.set_state(i, 20, 500)
        torch.testing.assert_close(there(mine), guider.forward(there(c), there(u)).pred)


def test_runs_do_not_touch_each_other() -> None:
    assert all(
        torch.equal(one, two)
        for one, two in zip(steps("diffusers_apg", {}, "flow"), steps("diffusers_apg", {}, "flow"), strict=True)
    )


@pytest.mark.parametrize("name", DISABLED)
def test_a_disabled_one_is_refused_with_the_reason(name: str) -> None:
    assert name not in GUIDANCE.names()
    with pytest.raises(BadInput) as caught:
        build(GuidanceSpec(method=name))
    assert str(caught.value) == f"The guidance method {name} is not offered: {DISABLED[name]}."
    assert DISABLED[name].rsplit(" ", 1)[1] in GUIDANCE.names()  # what to take in its place


def test_listing_them_does_not_import_diffusers() -> None:
    code = (
        "import sys; from studio.guidance import *; build(__import__('studio.core.recipe').core.recipe.GuidanceSpec("
        "method='diffusers_apg')); print('diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# -- defects of 0.42.1 ----------------------------------------------------------------------------------------------

PAIR = {"x": (torch.zeros(1), torch.ones(1))}  # conditional, unconditional


@mended
def test_apg_is_continuous_at_scale_one() -> None:
    made = []
    for scale in (1.0, 1.0001):
        guider = guiders.AdaptiveProjectedGuidance(
            guidance_scale=scale, eta=0.0, adaptive_projected_guidance_rescale=0.0
        )
        guider.set_state(0, 10, 500)
        made.append(guider.forward(random(0), random(1)).pred)
    torch.testing.assert_close(made[0], made[1], atol=1e-2, rtol=0)


@mended
def test_seg_counts_its_rows_so_that_its_hook_is_installed() -> None:
    guider = guiders.SmoothedEnergyGuidance(seg_guidance_config={"indices": [0], "fqn": "blocks"})
    guider.set_state(5, 10, 500)
    guider.prepare_models(torch.nn.Module())
    assert guider._count_prepared == 1


@pytest.mark.xfail(strict=True, raises=TypeError)
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SkipLayerGuidance", {"skip_layer_guidance_layers": [7, 8, 9]}),
        ("PerturbedAttentionGuidance", {"perturbed_guidance_layers": 7}),
        ("AutoGuidance", {"auto_guidance_layers": [7, 8, 9], "dropout": 1.0}),
    ],
)
def test_layers_given_as_documented_find_the_blocks(name: str, settings: dict[str, Any]) -> None:
    denoiser = torch.nn.Module()
    denoiser.transformer_blocks = torch.nn.ModuleList(torch.nn.Identity() for _ in range(10))
    guider = getattr(guiders, name)(**settings)
    guider.set_state(1, 10, 900)
    for _ in range(guider.num_conditions):
        guider.prepare_models(denoiser)


@mended
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("SkipLayerGuidance", "skip_layer_config"),
        ("PerturbedAttentionGuidance", "perturbed_guidance_config"),
        ("SmoothedEnergyGuidance", "seg_guidance_config"),
    ],
)
def test_without_cfg_the_perturbed_row_keeps_the_prompt(name: str, option: str) -> None:
    guider = getattr(guiders, name)(guidance_scale=1.0, **{option: {"indices": [0], "fqn": "blocks"}})
    guider.set_state(1, 10, 900)
    _, perturbed = guider.prepare_inputs(PAIR)
    assert torch.equal(perturbed.x, PAIR["x"][0])


@mended
def test_autoguidance_keeps_the_prompt() -> None:
    guider = guiders.AutoGuidance(auto_guidance_config={"indices": [0], "fqn": "blocks", "dropout": 1.0,
                                                        "skip_attention": False, "skip_ff": False})  # fmt: skip
    guider.set_state(5, 10, 500)
    _, weak = guider.prepare_inputs(PAIR)
    assert torch.equal(weak.x, PAIR["x"][0])


@pytest.mark.xfail(strict=True, raises=AttributeError)
def test_tangential_says_whether_it_is_conditional() -> None:
    assert guiders.TangentialClassifierFreeGuidance().is_conditional in (True, False)


@mended
def test_zero_star_with_rescale_is_a_number_in_its_zeroed_steps() -> None:
    guider = guiders.ClassifierFreeZeroStarGuidance(guidance_rescale=0.5)
    guider.set_state(0, 10, 500)
    assert guider.forward(random(0), random(1)).pred.isfinite().all()


@pytest.mark.xfail(strict=True, raises=RuntimeError)
def test_magnitude_aware_takes_a_latent() -> None:
    guider = guiders.MagnitudeAwareGuidance()
    guider.set_state(0, 10, 500)
    guider.forward(random(0), random(1))


def test_magnitude_aware_agrees_on_tokens() -> None:
    """[B, tokens, channels]: two dimensions to take the norm over are what it can do."""
    guider = guiders.MagnitudeAwareGuidance(guidance_scale=6.0, alpha=2.0)
    guider.set_state(0, 10, 500)
    c, u = random(0).flatten(2), random(1).flatten(2)
    method = {"guidance_scale": 6.0, "damping": 2.0, "space": "raw"}
    step = Step(by_condition({"pos": random(0), "empty": random(1)}), random(2), "sample")
    ours = step.run(build(GuidanceSpec(method="magnitude", params=method))).x0
    torch.testing.assert_close(ours.flatten(2), guider.forward(c, u).pred)
