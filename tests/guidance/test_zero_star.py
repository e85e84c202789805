"""The fitted scale is the least-squares one, and a zeroed step leaves the state where it is."""

import pytest
import torch

from studio.diffusion.parameterisation import Parameterisation
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.vectors import dot
from studio.guidance.zero_star import ZeroStarGuidance
from tests.guidance.stepping import AT, NEXT, Step, by_condition, guide, random

C, U, X = random(0), random(1), random(2)
TABLE = {"pos": C, "empty": U}


def velocity(x0: torch.Tensor) -> torch.Tensor:
    return (X - AT.a * x0) / AT.s - x0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_the_rest_is_orthogonal_to_the_unconditional_velocity(kind: Parameterisation) -> None:
    made = Step(by_condition(TABLE), X, kind).run(ZeroStarGuidance(guidance_scale=3.0, zero_steps=0)).x0
    # v - c = (w - 1)*(c - k*u), in velocities
    rest = velocity(made) - velocity(C)
    assert dot(rest, velocity(U)).abs().max() < 1e-9 and rest.abs().max() > 0.1
    k = dot(velocity(C), velocity(U)) / dot(velocity(U), velocity(U))
    torch.testing.assert_close(rest, 2 * (velocity(C) - k * velocity(U)))


def test_without_fit_and_zeroed_steps_it_is_cfg() -> None:
    method = ZeroStarGuidance(guidance_scale=4.0, zero_steps=0, fit=False)
    torch.testing.assert_close(guide(method, C, U).x0, guide(ClassifierFreeGuidance(guidance_scale=4.0), C, U).x0)


def test_scale_one_is_the_conditional_whatever_the_fit() -> None:
    torch.testing.assert_close(guide(ZeroStarGuidance(guidance_scale=1.0, zero_steps=0), C, U).x0, C)


def test_a_zeroed_step_asks_nothing_and_stands_still() -> None:
    method = ZeroStarGuidance(zero_steps=2)
    for i, rows in ((0, 0), (1, 0), (2, 2)):
        step = Step(by_condition(TABLE), X)
        guided = step.run(method, i=i)
        assert step.rows == rows == method.rows(i, 20, AT)
        if rows == 0:  # an Euler step with x0 = eps = x/(a+s) goes to the same point of flow coordinates
            moved = NEXT.a * guided.x0 + NEXT.s * (X - AT.a * guided.x0) / AT.s
            torch.testing.assert_close(moved / (NEXT.a + NEXT.s), X / (AT.a + AT.s))


def test_the_fit_does_not_change_when_both_are_scaled() -> None:
    observed = [_fit(ZeroStarGuidance(zero_steps=0), factor) for factor in (1.0, 7.0)]
    torch.testing.assert_close(observed[0], observed[1])


def _fit(method: ZeroStarGuidance, factor: float) -> torch.Tensor:
    return method._k(factor * velocity(C), factor * velocity(U))  # pyright: ignore[reportPrivateUsage]
