"""Ours against diffusers' guiders where those are healthy; where they are not: test_guider_defects.py."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.guidance import GUIDANCE, build
from studio.guidance.diffusers_guiders import DISABLED
from studio.guidance.interval import StepInterval
from studio.guidance.slg import SkipLayerGuidance
from tests.guidance.stepping import AT, Step, by_condition, random
from tests.guidance.their_guiders import (
    EXTRA,
    PAIR,
    SD3_BLOCKS,
    UNET_BLOCKS,
    Network,
    acting,
    fdg,
    guiders,
    pag,
    slg,
    steps,
)

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
    ours: str,
    params: dict[str, Any],
    theirs: str,
    their_params: dict[str, Any],
    tolerance: float,
    kind: Parameterisation,
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


@pytest.mark.parametrize("space", ["x0", "raw"])
@pytest.mark.parametrize("start_step", [0, 1, 5])
def test_apg_mix_is_their_own_run(space: str, start_step: int) -> None:
    """Driven as their pipelines do, on one instance: plain steps first, with the momentum filling, then projected."""
    params = {
        "guidance_scale": 4.0,
        "adaptive_projected_guidance_scale": 9.0,
        "adaptive_projected_guidance_momentum": -0.75,
        "adaptive_projected_guidance_rescale": 2.0,
        "eta": 0.25,
        "adaptive_projected_guidance_start_step": start_step,
    }
    guider = guiders.AdaptiveProjectedMixGuidance(**params)
    for i, mine in enumerate(steps("diffusers_apg_mix", params | {"space": space}, "v_prediction")):
        c, u, x = random(10 * i), random(10 * i + 1), random(100 + i)

        def there(x0: Tensor, x: Tensor = x) -> Tensor:
            return x0 if space == "x0" else from_x0("v_prediction", x0, x, AT.a, AT.s)

        guider.set_state(i, 20, 500)
        guider.prepare_inputs(PAIR)
        torch.testing.assert_close(there(mine), guider.forward(there(c), there(u)).pred)


def test_apg_mix_begins_as_cfg_and_goes_on_projected() -> None:
    """Our own two methods put together; a state of theirs carries across, with their formulation's scale."""
    params = {"guidance_scale": 4.0, "adaptive_projected_guidance_scale": 6.0, "eta": 1.0}
    off = {"adaptive_projected_guidance_momentum": 0.0, "adaptive_projected_guidance_rescale": 0.0}
    made = steps("diffusers_apg_mix", params | off | {"adaptive_projected_guidance_start_step": 0}, "flow")
    first, rest = (steps("cfg", {"guidance_scale": scale}, "flow") for scale in (4.0, 6.0))
    for mine, other in zip(made, [first[0], *rest[1:]], strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_ltx2_is_cfg_on_the_data(kind: Parameterisation, rescale: float) -> None:
    theirs = {"guidance_scale": 6.0, "guidance_rescale": rescale}
    made = steps("diffusers_ltx2", theirs, kind)
    ours = steps("cfg", {"guidance_scale": 6.0, "rescale": rescale, "rescale_space": "x0"}, kind)
    guider = guiders.LTX2Guidance(**theirs)
    for i, (mine, other) in enumerate(zip(made, ours, strict=True)):
        torch.testing.assert_close(mine, other)
        guider.set_state(i, 20, 500)
        torch.testing.assert_close(mine, guider.forward(random(10 * i), random(10 * i + 1)).pred)


def test_magnitude_aware_agrees_on_tokens() -> None:
    """[B, tokens, channels]: two dimensions to take the norm over are what it can do."""
    guider = guiders.MagnitudeAwareGuidance(guidance_scale=6.0, alpha=2.0)
    guider.set_state(0, 10, 500)
    c, u = random(0).flatten(2), random(1).flatten(2)
    method = {"guidance_scale": 6.0, "damping": 2.0, "space": "raw"}
    step = Step(by_condition({"pos": random(0), "empty": random(1)}), random(2), "sample")
    ours = step.run(build(GuidanceSpec(method="magnitude", params=method))).x0
    torch.testing.assert_close(ours.flatten(2), guider.forward(c, u).pred)


def test_a_zeroed_step_of_zero_star_stands_still_for_flow_models() -> None:
    made, expected = (steps(name, {}, "flow")[0] for name in ("diffusers_zero_star", "zero_star"))
    torch.testing.assert_close(made, expected)


@pytest.mark.parametrize("size", [(16, 16), (32, 8)])
def test_frequency_decoupled_of_equal_scales_is_cfg(size: tuple[int, int]) -> None:
    c, u, made = fdg(size, guidance_scales=[5.0, 5.0])
    torch.testing.assert_close(made, u + 5 * (c - u), rtol=1e-4, atol=1e-4)


def test_pag_perturbs_a_unet_whose_blocks_are_named_and_leaves_no_trace() -> None:
    network, guider = Network("unet"), pag(UNET_BLOCKS)
    before = network.evaluate()
    network.prepare(guider, 1, 3)
    assert not torch.allclose(network.evaluate(), before)
    guider.cleanup_models(network.denoiser)
    assert torch.equal(network.evaluate(), before)


@pytest.mark.parametrize("method", ["diffusers_apg", "diffusers_apg_mix"])
def test_runs_do_not_touch_each_other(method: str) -> None:
    first, second = (steps(method, {}, "flow", first=6) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


# -- when they act ----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(1, 60))
def test_start_and_stop_are_those_of_our_interval(one: float, other: float, n: int) -> None:
    start, stop = sorted((one, other))
    box = StepInterval(start=start, stop=stop)
    rows = [2 if box.holds(i, n, AT) else 1 for i in range(n)]
    assert acting(guiders.ClassifierFreeGuidance(start=start, stop=stop), n) == rows


extra = pytest.mark.parametrize("name", EXTRA)


@extra
def test_the_extra_term_takes_its_whole_window(name: str) -> None:
    """Its lower bound is strict: the first step is always left out. In Stability's code for SD 3.5 it is so too."""
    make, prefix, _ = EXTRA[name]
    whole = acting(make(**{f"{prefix}_start": 0.0, f"{prefix}_stop": 1.0}))
    assert whole == [2] + [3] * 19


def test_the_early_window_of_slg_and_pag() -> None:
    assert acting(slg()) == acting(pag(SD3_BLOCKS)) == [2, 3, 3, 3] + [2] * 16
    ours = SkipLayerGuidance(guidance_scale=7.5)
    assert [ours.rows(i, 20, AT) for i in range(20)] == acting(slg())


# -- which are offered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISABLED)
def test_a_disabled_one_is_refused_with_the_reason(name: str) -> None:
    assert name not in GUIDANCE.names()
    with pytest.raises(BadInput) as caught:
        build(GuidanceSpec(method=name))
    assert str(caught.value) == f"The guidance method {name} is not offered: {DISABLED[name]}."
    assert DISABLED[name].rsplit(" ", 1)[1] in GUIDANCE.names()  # what to take in its place
