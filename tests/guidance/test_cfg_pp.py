"""CFG++: the step of its paper, whatever first-order solver takes it; its ends; what it asks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.solvers import DDIM, Euler, Solver
from studio.guidance import Pred, Request
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.cfg_pp import CFGPlusPlus
from tests.guidance.stepping import AT, NEXT, Step, by_condition, random

C, U, X = random(1), random(2), random(3)
EPS_U = Pred("sample", U, X, AT).eps
GRID = Grid((AT.t, NEXT.t), (AT.a, NEXT.a, 1.0), (AT.s, NEXT.s, 0.0))


def stepped(weight: float, solver: Solver, kind: Parameterisation = "v_prediction", uncond: Tensor = U) -> Tensor:
    guided = Step(by_condition({"pos": C, "empty": uncond}), X, kind).run(CFGPlusPlus(weight=weight))
    assert guided.x is not None
    return solver.step(guided.x, guided.x0, 0, GRID, solver.init())[0]


@pytest.mark.parametrize("solver", [DDIM(), Euler()])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow", "sample"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_papers_step(solver: Solver, kind: Parameterisation, weight: float) -> None:
    expected = NEXT.a * (U + weight * (C - U)) + NEXT.s * EPS_U
    torch.testing.assert_close(stepped(weight, solver, kind), expected)


def test_with_fresh_noise_the_rest_is_still_the_unconditional() -> None:
    solver, noise = DDIM(eta=0.7), random(4)
    guided = Step(by_condition({"pos": C, "empty": U}), X).run(CFGPlusPlus(weight=0.6))
    assert guided.x is not None
    sd = solver.noise_sd(0, GRID)
    expected = NEXT.a * guided.x0 + (NEXT.s**2 - sd**2) ** 0.5 * EPS_U + sd * noise
    torch.testing.assert_close(solver.step(guided.x, guided.x0, 0, GRID, (), noise)[0], expected)


def test_weight_zero_is_unconditional_sampling() -> None:
    unguided = Step(by_condition({"pos": C, "empty": U}), X).run(ClassifierFreeGuidance(guidance_scale=0))
    torch.testing.assert_close(stepped(0.0, DDIM()), DDIM().step(X, unguided.x0, 0, GRID, ())[0])


def test_equal_predictions_make_it_ddim() -> None:
    for weight in (0.0, 0.6, 1.0):
        torch.testing.assert_close(stepped(weight, DDIM(), uncond=C), DDIM().step(X, C, 0, GRID, ())[0])


def test_to_the_data_only_the_guided_prediction_is_left() -> None:
    """The last step ends without noise: the picture is g."""
    last = replace(NEXT, a=1.0, s=0.0, t=0.0)
    grid = Grid((AT.t,), (AT.a, last.a), (AT.s, last.s))
    guided = Step(by_condition({"pos": C, "empty": U}), X).run(CFGPlusPlus(weight=0.6))
    assert guided.x is not None
    torch.testing.assert_close(DDIM().step(guided.x, guided.x0, 0, grid, ())[0], U + 0.6 * (C - U))


def test_asks_both_at_every_weight() -> None:
    for weight in (0.0, 1.0):
        step = Step(by_condition({"pos": C, "empty": U}), X)
        step.run(CFGPlusPlus(weight=weight))
        assert step.conditions == ["pos", "empty"]


def test_the_state_keeps_its_dtype_and_is_not_written_to() -> None:
    x = X.half()
    asked: list[Request] = []
    step = Step(lambda request, at, level: (asked.append(request), C if request.cond == "pos" else U)[1], x)
    guided = step.run(CFGPlusPlus())
    assert guided.x is not None and guided.x.dtype == torch.float16
    assert torch.equal(x, X.half()) and all(request.x is None for request in asked)
