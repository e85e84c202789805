"""Tangential damping against the singular value decomposition it is a short form of."""

import pytest
import torch

from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import NoisePoint
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.tangential import TangentialGuidance, damp
from studio.guidance.vectors import norm, project
from tests.guidance.stepping import AT, Step, by_condition, guide, random


@pytest.mark.parametrize("seed", range(5))
def test_the_direction_is_the_first_singular_vector(seed: int) -> None:
    c, u = random(seed), random(seed + 50) - 0.3 * random(seed)
    for one, two, damped in zip(c, u, damp(c, u), strict=True):
        _, _, right = torch.linalg.svd(torch.stack([one.flatten(), two.flatten()]), full_matrices=False)
        torch.testing.assert_close(damped.flatten(), (two.flatten() @ right[0]) * right[0])


def test_never_longer_than_before_and_signs_do_not_matter() -> None:
    c, u = random(0), random(1)
    assert (norm(damp(c, u)) <= norm(u)).all()
    torch.testing.assert_close(damp(-c, -u), -damp(c, u))
    torch.testing.assert_close(damp(-c, u), damp(c, u))


@pytest.mark.parametrize("a", [0.0, 4.93e-5, 1e-3, AT.a])
def test_keeping_all_is_cfg(a: float) -> None:
    """Also where a picture begins: on Stencil's cosine betas that is a = 4.93e-5."""
    method, at = TangentialGuidance(guidance_scale=5.0, keep=1.0), NoisePoint(a, (1 - a * a) ** 0.5, 999.0)
    kinds: tuple[Parameterisation, ...] = ("epsilon", "v_prediction", "flow")
    for kind in kinds if a >= 1e-3 else kinds[1:]:  # in purer noise an eps-model says nothing of the data
        step = Step(by_condition({"pos": random(0), "empty": random(1)}), random(2), kind, at)
        made, plain = step.run(method).x0, step.run(ClassifierFreeGuidance(guidance_scale=5.0)).x0
        torch.testing.assert_close(made, plain, rtol=1e-3, atol=1e-3)


def test_equal_predictions_stay_whatever_the_scale() -> None:
    for scale in (0.0, 2.0, 20.0):
        made = guide(TangentialGuidance(guidance_scale=scale), random(0), random(0), kind="epsilon").x0
        torch.testing.assert_close(made, random(0))


def test_without_a_common_direction_it_falls_back_to_cfg() -> None:
    c = random(0, shape=(1, 2, 4, 4))
    u = torch.stack([-c[:, 1], c[:, 0]], 1)  # as long as c, and orthogonal to it
    torch.testing.assert_close(damp(c, u), u)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_the_noise_is_what_is_damped_whatever_the_network_puts_out(kind: Parameterisation) -> None:
    c, u, x = random(0), random(1), random(2)
    made = Step(by_condition({"pos": c, "empty": u}), x, kind).run(TangentialGuidance(guidance_scale=3.0)).x0
    eps_c, eps_u = (x - AT.a * c) / AT.s, (x - AT.a * u) / AT.s
    damped = damp(eps_c, eps_u)
    torch.testing.assert_close(made, (x - AT.s * (damped + 3 * (eps_c - damped))) / AT.a)


@pytest.mark.parametrize("kind", ["v_prediction", "flow", "sample"])
def test_in_pure_noise_half_of_what_lies_across_x_is_left(kind: Parameterisation) -> None:
    """Both noises are x there, to the first order in a: v1 is x, and u' half way between u and c across it."""
    c, u, x = random(0), random(1), random(2)
    for at in (NoisePoint(0.0, 1.0, 999.0), NoisePoint(1e-3, 1.0, 999.0)):
        made = Step(by_condition({"pos": c, "empty": u}), x, kind, at).run(TangentialGuidance(guidance_scale=3.0)).x0
        along = project(c - u, onto=x)
        torch.testing.assert_close(made, c + 2 * (along + (c - u - along) / 2), rtol=1e-2, atol=1e-2)
