"""Adaptive projected guidance: its exact properties, its reductions, parity with diffusers fed as the paper means."""

import math
from typing import Any

import pytest
import torch

from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.guidance import State
from studio.guidance.apg import AdaptiveProjectedGuidance
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.vectors import dot, norm
from tests.guidance.stepping import AT, Step, by_condition, guide, random
from tests.tolerance import rounding

C, U = random(1), random(2)
OFF = {"momentum": 0.0, "norm_threshold_rms": 0.0}
SIZE = C[0].numel()


def apg(guidance_scale: float = 5.0, **params: Any) -> AdaptiveProjectedGuidance:
    return AdaptiveProjectedGuidance(guidance_scale=guidance_scale, **params)


@pytest.mark.parametrize("scale", [1.0, 2.5, 12.0])
def test_with_everything_off_it_is_cfg(scale: float) -> None:
    expected = guide(ClassifierFreeGuidance(guidance_scale=scale), C, U).x0
    torch.testing.assert_close(guide(apg(scale, eta=1.0, **OFF), C, U).x0, expected)


def test_scale_one_is_the_conditional_prediction_bit_for_bit_at_half_the_cost() -> None:
    step = Step(by_condition({"pos": C, "empty": U}), random(3), "sample")
    assert torch.equal(step.run(apg(1.0)).x0, C)
    assert step.conditions == ["pos"] and apg(1.0).nfe() == 1 and apg(1.1).nfe() == 2


@pytest.mark.parametrize("params", [OFF, {}, {"momentum": -0.75, "norm_threshold_rms": 0.1}])
def test_eta_zero_moves_at_a_right_angle(params: dict[str, float]) -> None:
    g = guide(apg(8.0, eta=0.0, **params), C, U).x0
    assert dot(g - C, C).abs().max() < 1e-10
    torch.testing.assert_close(dot(g, g), dot(C, C) + dot(g - C, g - C))
    assert (norm(g) >= norm(C)).all()


@pytest.mark.parametrize("eta", [-0.5, 0.0, 0.5, 1.0])
def test_the_norm_limit_bounds_the_step(eta: float) -> None:
    r_rms = 0.05
    g = guide(apg(8.0, eta=eta, norm_threshold_rms=r_rms), C, U).x0
    assert (norm(g - C) <= 7 * r_rms * math.sqrt(SIZE) * (1 + rounding(torch.float32))).all()
    full = norm(guide(apg(8.0, eta=1.0, norm_threshold_rms=r_rms), C, U).x0 - C).flatten()
    limit = torch.full((3,), 7 * r_rms * math.sqrt(SIZE), dtype=torch.float64)
    torch.testing.assert_close(full, limit, rtol=rounding(torch.float32), atol=0)


def test_a_short_step_is_not_stretched() -> None:
    near = C + 1e-3 * random(5)
    limited = guide(apg(momentum=0, norm_threshold_rms=0.2), C, near).x0
    assert torch.equal(limited, guide(apg(**OFF), C, near).x0)


def test_the_limit_means_the_same_at_any_size() -> None:
    """A latent tiled four times takes the same step per element: the limit is per element, not per vector."""
    tile = (1, 1, 2, 2)
    small = guide(apg(momentum=0), C, U).x0
    large = guide(apg(momentum=0), C.repeat(tile), U.repeat(tile), x=random(9).repeat(tile)).x0
    torch.testing.assert_close(large, small.repeat(tile))


def test_momentum_is_a_running_sum_of_differences() -> None:
    method = apg(3.0, eta=1.0, momentum=-0.5, norm_threshold_rms=0.0)
    state: State = method.init(C.shape)
    m = torch.zeros_like(C)
    for i in range(5):
        c, u = random(20 + i), random(40 + i)
        m = (c - u) - 0.5 * m
        guided = guide(method, c, u, state=state)
        state = guided.state
        torch.testing.assert_close(guided.x0, c + 2 * m)
        torch.testing.assert_close(state[0], m)


def test_momentum_settles_at_its_gain() -> None:
    """The same difference at every step adds up to D / (1 - beta)."""
    method = apg(2.0, eta=1.0, momentum=-0.75, norm_threshold_rms=0.0)
    guided = guide(method, C, U)
    for _ in range(60):
        guided = guide(method, C, U, state=guided.state)
    torch.testing.assert_close(guided.state[0], (C - U) / 1.75, rtol=1e-6, atol=1e-6)


def test_momentum_is_taken_before_the_limit() -> None:
    """The limit shortens the step, not what is remembered of it."""
    guided = guide(apg(norm_threshold_rms=0.01), C, U)
    torch.testing.assert_close(guided.state[0], C - U)


def test_sides_of_a_comparison_do_not_touch() -> None:
    method = apg()
    alone = [guide(method, C, U)]
    alone.append(guide(method, U, C, state=alone[0].state))
    one, other = guide(method, C, U), guide(method, random(7), random(8))
    guide(method, random(9), random(10), state=other.state)
    torch.testing.assert_close(guide(method, U, C, state=one.state).x0, alone[1].x0, rtol=0, atol=0)


# diffusers builds its guiders with a warning that they are experimental.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:Guiders are:UserWarning")
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("momentum", [None, -0.5])
@pytest.mark.parametrize("r_rms", [0.0, 0.1])
def test_agrees_with_diffusers(eta: float, momentum: float | None, r_rms: float) -> None:
    """Its guider, fed predictions of the data, with the original formulation and scale w - 1, over three steps."""
    from diffusers.guiders import adaptive_projected_guidance as module

    theirs: Any = module.AdaptiveProjectedGuidance(
        guidance_scale=6.0,
        adaptive_projected_guidance_momentum=momentum,
        adaptive_projected_guidance_rescale=r_rms * math.sqrt(SIZE),
        eta=eta,
        use_original_formulation=True,
    )
    if momentum is not None:
        theirs.momentum_buffer = module.MomentumBuffer(momentum)  # what its prepare_inputs does at step 0
    ours = apg(7.0, eta=eta, momentum=momentum or 0.0, norm_threshold_rms=r_rms)
    state: State = ours.init(C.shape)
    for i in range(3):
        theirs.set_state(step=i, num_inference_steps=20, timestep=torch.tensor(600))
        c, u = random(20 + i), random(40 + i)
        guided = guide(ours, c, u, state=state)
        state = guided.state
        torch.testing.assert_close(guided.x0, theirs.forward(c, u).pred, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_the_raw_form_works_on_what_the_network_puts_out(kind: Parameterisation) -> None:
    values = {"guidance_scale": 4.0, "eta": 0.2, "momentum": 0.0, "norm_threshold_rms": 0.1}
    c, u, x = random(0), random(1), random(2)
    raw = AdaptiveProjectedGuidance.model_validate({**values, "space": "raw"})
    made = Step(by_condition({"pos": c, "empty": u}), x, kind).run(raw).x0
    raw_c, raw_u = (from_x0(kind, each, x, AT.a, AT.s) for each in (c, u))
    there = guide(AdaptiveProjectedGuidance.model_validate(values), raw_c, raw_u, kind="sample").x0
    torch.testing.assert_close(from_x0(kind, made, x, AT.a, AT.s), there)
    assert not torch.allclose(made, guide(AdaptiveProjectedGuidance.model_validate(values), c, u).x0)
