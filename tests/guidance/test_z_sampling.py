"""Zigzag sampling: reductions, the zigzag in DDIM steps, which way it goes, cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.solvers import DDIM
from studio.guidance import NoisePoint, Request
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.z_sampling import ZigzagSampling
from tests.guidance.stepping import AT, NEXT, Step, random
from tests.toys import latent_mixture

MIXTURE = latent_mixture(spread=0.5)
X = AT.a * MIXTURE.sample(3, seed=0) + AT.s * random(5, shape=(3, 4, 4, 4))


def mixture(request: Request, x: Tensor, at: NoisePoint) -> Tensor:
    model = MIXTURE.given(1) if request.cond == "pos" else MIXTURE
    return model.x0(x, at.a, at.s)


def zigzag(**params: Any) -> ZigzagSampling:
    return ZigzagSampling(**{"guidance_scale": 3.0, **params})


def guided_x0(x: Tensor, at: NoisePoint, w: float) -> Tensor:
    return Step(mixture, x, "v_prediction", at).run(ClassifierFreeGuidance(guidance_scale=w)).x0


def back_and_forth(w: float, v: float, eval_at: str) -> Tensor:
    """A DDIM step at scale w, and a DDIM inversion at scale v, each written as such."""
    grid = Grid((AT.t, NEXT.t), (AT.a, NEXT.a, 1.0), (AT.s, NEXT.s, 0.0))
    y = DDIM().step(X, guided_x0(X, AT, w), 0, grid, ())[0]
    if eval_at == "moved":
        x0 = guided_x0(y, NEXT, v)
        return AT.a * x0 + AT.s * (y - NEXT.a * x0) / NEXT.s
    # The same point in flow coordinates, as a state of the level it came from.
    there, here = NEXT.a + NEXT.s, AT.a + AT.s
    x = y / there * here
    x0 = guided_x0(x, AT, v)
    velocity = (x - AT.a * x0) / AT.s - x0
    return (y / there - (NEXT.s_flow - AT.s_flow) * velocity) * here


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize("eval_at", ["moved", "frozen"])
@pytest.mark.parametrize(("w", "v"), [(3.0, 0.0), (3.0, 1.0), (5.5, 2.0), (1.0, 0.0)])
def test_full_strength_is_a_step_and_its_inversion(kind: Parameterisation, eval_at: str, w: float, v: float) -> None:
    guided = Step(mixture, X, kind).run(zigzag(guidance_scale=w, inversion_scale=v, eval_at=eval_at))
    assert guided.x is not None
    torch.testing.assert_close(guided.x, back_and_forth(w, v, eval_at))
    torch.testing.assert_close(guided.x0, guided_x0(guided.x, AT, w))


def test_strength_is_a_share_of_the_displacement() -> None:
    whole, half = (Step(mixture, X).run(zigzag(strength=strength)).x for strength in (1.0, 0.5))
    assert whole is not None and half is not None
    torch.testing.assert_close(half - X, (whole - X) / 2)


@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(("params", "i"), [({"strength": 0.0}, 0), ({}, 19), ({"until": 0.5}, 10), ({"until": 0}, 0)])
def test_where_it_does_not_zigzag_it_is_cfg(w: float, params: dict[str, float], i: int) -> None:
    guided = Step(mixture, X).run(zigzag(guidance_scale=w, **params), i=i)
    assert guided.x is None and not guided.diag
    torch.testing.assert_close(guided.x0, guided_x0(X, AT, w))


def test_it_goes_towards_the_label() -> None:
    """log p(c|x'') > log p(c|x): the sign is right."""
    moved = Step(mixture, X).run(zigzag(inversion_scale=0.0)).x
    assert moved is not None

    def odds(x: Tensor) -> Tensor:
        return MIXTURE.given(1).log_prob(x, AT.a, AT.s) - MIXTURE.log_prob(x, AT.a, AT.s)

    assert (odds(moved) > odds(X)).all()


def test_equal_scales_lead_back_to_second_order() -> None:
    """Out and back along one field: what is left is the inversion's error, a quarter at half the step."""
    rest: list[float] = []
    for share in (0.1, 0.05):
        near = NoisePoint(AT.a + share * (NEXT.a - AT.a), AT.s + share * (NEXT.s - AT.s), AT.t)
        step = Step(mixture, X)
        step.at_next = near
        moved = step.run(zigzag(inversion_scale=3.0)).x
        assert moved is not None
        rest.append((moved - X).norm().item())
    assert rest[0] / rest[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(
    ("w", "v", "rows", "widest"), [(3.0, 0.0, 5, 2), (1.0, 0.0, 3, 1), (3.0, 2.0, 6, 2), (1.0, 2.0, 4, 2)]
)
def test_cost(w: float, v: float, rows: int, widest: int) -> None:
    method = zigzag(guidance_scale=w, inversion_scale=v)
    step = Step(mixture, X)
    step.run(method, negatives=1)
    assert (step.rows, step.widest) == (rows, widest) and method.nfe() == rows
    assert "empty" not in step.conditions
    last = Step(mixture, X)
    last.run(method, i=19)
    assert last.rows == method.rows(19, 20, AT) == (1 if w == 1 else 2)
