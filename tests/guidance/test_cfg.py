"""Classifier-free guidance: its exact properties, the truth on a Gaussian mixture, parity with diffusers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.grid import trailing
from studio.diffusion.parameterisation import Parameterisation, to_x0
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.solvers import DPMpp2M
from studio.guidance import NoisePoint, Pred, StepCtx
from studio.guidance.cfg import ClassifierFreeGuidance, rescale
from studio.guidance.vectors import std
from tests.guidance.stepping import AT, Step, by_condition, guide, random
from tests.toys import GaussianMixture, latent_mixture

KINDS: tuple[Parameterisation, ...] = ("epsilon", "v_prediction", "flow", "sample")
C, U = random(1), random(2)


def cfg(guidance_scale: float, **params: Any) -> ClassifierFreeGuidance:
    return ClassifierFreeGuidance(guidance_scale=guidance_scale, **params)


def test_scale_one_is_the_conditional_prediction_bit_for_bit_at_half_the_cost() -> None:
    step = Step(by_condition({"pos": C, "empty": U}), random(3), "sample")
    assert torch.equal(step.run(cfg(1, rescale=0.7)).x0, C)
    assert step.conditions == ["pos"]
    assert (cfg(1).nfe(), cfg(0, formulation="original").nfe()) == (1, 1)
    assert (cfg(0).nfe(), cfg(3).nfe(), cfg(1, formulation="original").nfe()) == (2, 2, 2)


def test_scale_zero_is_the_unconditional_prediction() -> None:
    torch.testing.assert_close(guide(cfg(0), C, U).x0, U)


@pytest.mark.parametrize("scale", [1.0, 2.5, 15.0])
def test_original_counts_from_zero(scale: float) -> None:
    original = cfg(scale - 1, formulation="original")
    torch.testing.assert_close(guide(original, C, U).x0, guide(cfg(scale), C, U).x0)
    torch.testing.assert_close(guide(original, C, U).x0, C + (scale - 1) * (C - U))


@pytest.mark.parametrize("scale", [0.0, 1.0, 7.5, 30.0])
def test_equal_predictions_need_no_guidance(scale: float) -> None:
    torch.testing.assert_close(guide(cfg(scale), C, C).x0, C)


@pytest.mark.parametrize("kind", KINDS)
def test_the_space_makes_no_difference(kind: Parameterisation) -> None:
    """Combining raw outputs, as the libraries do, gives what combining predictions of the data gives."""
    guided = guide(cfg(4), C, U, x=random(3), kind=kind).x0
    c, u = (Pred("sample", pred, random(3), AT) for pred in (C, U))
    views = {"epsilon": "eps", "v_prediction": "v", "flow": "u", "sample": "x0"}
    raw_c, raw_u = getattr(c, views[kind]), getattr(u, views[kind])
    torch.testing.assert_close(guided, to_x0(kind, raw_u + 4 * (raw_c - raw_u), random(3), AT.a, AT.s))


def test_composition_multiplies_scales() -> None:
    once = guide(cfg(2), guide(cfg(3), C, U).x0, U).x0
    torch.testing.assert_close(once, guide(cfg(6), C, U).x0)


def test_rescale_of_zero_changes_nothing() -> None:
    assert torch.equal(guide(cfg(7.5, rescale=0), C, U).x0, guide(cfg(7.5), C, U).x0)
    assert torch.equal(rescale(U, C, 0.0), U)


@pytest.mark.parametrize("kind", KINDS)
def test_full_rescale_gives_the_spread_of_the_conditional_prediction(kind: Parameterisation) -> None:
    x = random(3)
    cond = Pred("sample", C, x, AT)
    in_x0 = guide(cfg(7.5, rescale=1, rescale_space="x0"), C, U, x, kind).x0
    torch.testing.assert_close(std(in_x0), std(C))
    guided = Pred("sample", guide(cfg(7.5, rescale=1), C, U, x, kind).x0, x, AT)
    view = {"epsilon": "eps", "v_prediction": "v", "flow": "u", "sample": "x0"}[kind]
    torch.testing.assert_close(std(getattr(guided, view)), std(getattr(cond, view)))


def test_rescale_is_a_mix_of_off_and_full() -> None:
    off, half, full = (rescale(3 * U, C, phi) for phi in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (off + full) / 2)


def test_rescale_leaves_a_flat_sample_alone() -> None:
    flat = torch.full_like(C, 0.3)
    assert torch.equal(rescale(flat, C, 1.0), flat)


def test_rescale_at_the_data_is_skipped() -> None:
    data = NoisePoint(1.0, 0.0, 0.0)
    step = Step(by_condition({"pos": C, "empty": U}), random(3), "sample", at=data)
    preds = {name: Pred("v_prediction", raw, step.x, data) for name, raw in (("cond", C), ("uncond", U))}
    plan = cfg(5, rescale=0.7).plan(StepCtx(i=19, n=20, at=data, at_next=data, x=step.x))
    next(plan)
    with pytest.raises(StopIteration) as end:
        plan.send(preds)
    torch.testing.assert_close(end.value.value.x0, step.x)  # both predictions are x where nothing is noise


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:Guiders are:UserWarning")
@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("phi", [0.0, 0.7])
def test_agrees_with_diffusers(original: bool, phi: float) -> None:
    from diffusers.guiders.classifier_free_guidance import ClassifierFreeGuidance as Theirs

    theirs: Any = Theirs(guidance_scale=6.0, guidance_rescale=phi, use_original_formulation=original)
    theirs.set_state(step=3, num_inference_steps=20, timestep=torch.tensor(600))
    x = random(3)
    raw_c, raw_u = (Pred("sample", pred, x, AT).v for pred in (C, U))
    expected = to_x0("v_prediction", theirs.forward(raw_c, raw_u).pred, x, AT.a, AT.s)
    ours = cfg(6.0, rescale=phi, formulation="original" if original else "native")
    torch.testing.assert_close(guide(ours, C, U, x, "v_prediction").x0, expected, rtol=1e-12, atol=1e-12)


def test_guided_score_on_a_mixture() -> None:
    """score(g) = score(x) + w * grad log p(label | x): guidance climbs the classifier implied by the two models."""
    mixture, at = latent_mixture(), AT
    given = mixture.given(1)
    x = mixture.sample(5, seed=0).requires_grad_()
    log_share = given.log_prob(x, at.a, at.s) - mixture.log_prob(x, at.a, at.s)
    (classifier,) = torch.autograd.grad(log_share.sum(), x)
    x = x.detach()
    guided = guide(cfg(4), given.x0(x, at.a, at.s), mixture.x0(x, at.a, at.s), x, "v_prediction").x0
    score = -(x - at.a * guided) / at.s**2
    torch.testing.assert_close(score, mixture.score(x, at.a, at.s) + 4 * classifier)


def sampled(scale: float, mixture: GaussianMixture) -> Tensor:
    """400 samples of the mixture's class 1, drawn with guidance."""
    given = mixture.given(1)
    grid = trailing(NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000), 40)
    x, solver = random(0, shape=(400, 4, 4, 4)), DPMpp2M()
    state, method = solver.init(), cfg(scale)
    for i in range(len(grid)):
        a, s = grid.a[i], grid.s[i]
        table = {"pos": given.x0(x, a, s), "empty": mixture.x0(x, a, s)}
        step = Step(by_condition(table), x, "v_prediction", NoisePoint(a, s, grid.timesteps[i]))
        x, state = solver.step(x, step.run(method).x0, i, grid, state)
    return x


def test_unguided_samples_are_of_the_class() -> None:
    mixture = latent_mixture()
    samples, truth = sampled(1.0, mixture), mixture.given(1).sample(4000, seed=1)
    torch.testing.assert_close(samples.mean(0), truth.mean(0), rtol=0, atol=0.2)
    torch.testing.assert_close(samples.std(0), truth.std(0), rtol=0, atol=0.2)


def test_more_guidance_gives_likelier_labels_and_less_variety() -> None:
    mixture = latent_mixture(spread=0.1)
    odds: list[float] = []
    variety: list[float] = []
    for scale in (0.0, 1.0, 2.0, 4.0):
        x = sampled(scale, mixture)
        odds.append((mixture.given(1).log_prob(x, 1.0, 0.0) - mixture.given(0).log_prob(x, 1.0, 0.0)).mean().item())
        variety.append(x.std(0).mean().item())
    assert odds == sorted(odds) and odds[-1] > odds[1] + 1
    assert variety == sorted(variety, reverse=True)
