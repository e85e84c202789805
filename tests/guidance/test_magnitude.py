"""The scale falls with the size of the step, between 1 and the scale set."""

import pytest
import torch

from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.magnitude import MagnitudeAwareGuidance
from tests.guidance.stepping import AT, Step, by_condition, guide, random

C, U, X = random(0), random(1), random(2)


def test_without_damping_it_is_cfg() -> None:
    method = MagnitudeAwareGuidance(guidance_scale=6.0, damping=0.0)
    torch.testing.assert_close(guide(method, C, U).x0, guide(ClassifierFreeGuidance(guidance_scale=6.0), C, U).x0)


def test_the_scale_lies_between_one_and_the_scale_set_and_falls() -> None:
    method = MagnitudeAwareGuidance(guidance_scale=10.0, damping=2.0)
    scales = [method._scale(U + size * (C - U), U) for size in (0.0, 0.1, 0.5, 1.0, 10.0)]  # pyright: ignore[reportPrivateUsage]
    assert torch.equal(scales[0], torch.full_like(scales[0], 10.0))
    for larger, smaller in zip(scales, scales[1:], strict=False):
        assert (larger > smaller).all() and (smaller >= 1).all()


@pytest.mark.parametrize("space", ["flow", "raw"])
def test_the_formula_in_its_space(space: str) -> None:
    method = MagnitudeAwareGuidance.model_validate({"guidance_scale": 5.0, "damping": 1.5, "space": space})
    made = Step(by_condition({"pos": C, "empty": U}), X, "epsilon").run(method).x0
    eps_c, eps_u = (X - AT.a * C) / AT.s, (X - AT.a * U) / AT.s
    p, q = (eps_c, eps_u) if space == "raw" else (eps_c - C, eps_u - U)
    rho = (p - q).flatten(1).norm(dim=1) / q.flatten(1).norm(dim=1)
    w = 1 + 4 * (-1.5 * rho).exp()[:, None, None, None]
    torch.testing.assert_close(made, U + w * (C - U))
