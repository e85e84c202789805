"""Guidance away from a degraded prediction: what PAG, SEG, SLG and autoguidance have in common, and each one's own."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.params import load
from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import GUIDANCE, Guidance, NoisePoint, Perturbation, Request
from studio.guidance.autoguidance import AutoGuidance
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.degraded import cosine
from studio.guidance.pag import PerturbedAttentionGuidance
from studio.guidance.perturbation import layers_of
from studio.guidance.seg import SmoothedEnergyGuidance
from studio.guidance.slg import SkipLayerGuidance
from studio.guidance.vectors import norm
from tests.guidance.stepping import AT, Step, guide, random
from tests.toys import latent_mixture

C, U, D = random(1), random(2), random(4)
SCALES = {"pag": "pag_scale", "seg": "seg_scale", "slg": "slg_scale", "autoguidance": "autoguidance_scale"}
KINDS: tuple[Parameterisation, ...] = ("epsilon", "v_prediction", "flow", "sample")
STEP = 2  # of 20: within the window of skip-layer guidance
every = pytest.mark.parametrize("name", SCALES)


def method_of(name: str, s: float, **params: Any) -> Guidance:
    """A method of push s, in its own count."""
    return load(GUIDANCE.get(name), {SCALES[name]: s + (name == "autoguidance"), **params}, name)


def network(request: Request, x: Tensor, at: NoisePoint) -> Tensor:
    if request.perturb is not None or request.model == "weak":
        assert request.cond == "pos", "a degraded prediction is of the prompt itself"
        return D
    return C if request.cond == "pos" else U


def guided(method: Guidance, kind: Parameterisation = "sample", i: int = STEP) -> Tensor:
    return Step(network, random(9), kind).run(method, i=i).x0


@every
@pytest.mark.parametrize("kind", KINDS)
def test_the_common_rule_in_every_space(name: str, kind: Parameterisation) -> None:
    torch.testing.assert_close(guided(method_of(name, 2.5), kind), C + 2.5 * (C - D))
    both = method_of(name, 2.5, guidance_scale=4.0)
    torch.testing.assert_close(guided(both, kind), U + 4 * (C - U) + 2.5 * (C - D))


@every
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_no_push_is_the_base_method_at_its_cost(name: str, scale: float) -> None:
    method = method_of(name, 0.0, guidance_scale=scale)
    expected = guide(ClassifierFreeGuidance(guidance_scale=scale), C, U, random(9)).x0
    step = Step(network, random(9), "sample")
    torch.testing.assert_close(step.run(method, i=STEP).x0, expected)
    assert step.rows == method.nfe() == (1 if scale == 1 else 2)


@every
def test_a_degradation_without_effect_is_no_guidance(name: str) -> None:
    for scale in (1.0, 4.0):
        same = guide(method_of(name, 3.0, guidance_scale=scale), C, U, random(9)).x0
        torch.testing.assert_close(same, guide(ClassifierFreeGuidance(guidance_scale=scale), C, U, random(9)).x0)


@every
def test_the_push_is_linear_in_its_scale(name: str) -> None:
    once, thrice = (guided(method_of(name, s, guidance_scale=4.0)) for s in (1.0, 3.0))
    base = guided(method_of(name, 0.0, guidance_scale=4.0))
    torch.testing.assert_close(thrice - base, 3 * (once - base))


@every
def test_one_round_of_one_row_per_prediction(name: str) -> None:
    for scale, conditions in ((1.0, ["pos", "pos"]), (4.0, ["pos", "empty", "pos"])):
        method = method_of(name, 2.0, guidance_scale=scale)
        step = Step(network, random(9))
        step.run(method, i=STEP)
        assert step.conditions == conditions and method.nfe() == step.widest == len(conditions)


@every
def test_a_negative_prompt_takes_the_empty_ones_place(name: str) -> None:
    step = Step(network, random(9))
    step.run(method_of(name, 2.0, guidance_scale=4.0), i=STEP, negatives=1)
    assert step.conditions == ["pos", "neg/0", "pos"]


@every
def test_tells_the_gap(name: str) -> None:
    diag = Step(network, random(9), "sample").run(method_of(name, 2.0, guidance_scale=4.0), i=STEP).diag
    torch.testing.assert_close(diag["degraded_gap"], (norm(C - D) / norm(C)).flatten())
    torch.testing.assert_close(diag["degraded_cos"], torch.cosine_similarity((C - D).flatten(1), (C - U).flatten(1)))


def test_cosine_of_nothing_is_zero() -> None:
    assert torch.equal(cosine(torch.zeros_like(C), C), torch.zeros(3, dtype=torch.float64))


def asked(method: Guidance) -> Request:
    requests: list[Request] = []
    step = Step(lambda request, x, at: (requests.append(request), C)[1], random(9), "sample")
    step.run(method, i=STEP)
    return next(request for request in requests if request.name == "degraded")


def test_what_each_does_to_the_network() -> None:
    layers = "mid_block, up_blocks.1"
    paths = ("mid_block", "up_blocks.1")
    assert asked(PerturbedAttentionGuidance()).perturb == Perturbation("identity")
    assert asked(PerturbedAttentionGuidance(layers=layers)).perturb == Perturbation("identity", paths)
    assert asked(SmoothedEnergyGuidance(blur_sigma=2, layers=layers)).perturb == Perturbation("blur", paths, 2.0)
    assert asked(SmoothedEnergyGuidance(blur="mean")).perturb == Perturbation("blur", (), math.inf)
    assert asked(SkipLayerGuidance(layers=layers)).perturb == Perturbation("skip", paths)
    assert (asked(AutoGuidance()).perturb, asked(AutoGuidance()).model) == (None, "weak")


def test_a_blur_of_no_width_saves_its_row() -> None:
    assert SmoothedEnergyGuidance(blur_sigma=0).nfe() == 1
    assert SmoothedEnergyGuidance(blur_sigma=0, blur="mean").nfe() == 2


def test_the_push_of_pag_fades() -> None:
    faded = PerturbedAttentionGuidance(pag_scale=3.0, pag_adaptive_scale=0.005)
    torch.testing.assert_close(guided(faded), C + (3.0 - 0.005 * (1000 - AT.t)) * (C - D))
    gone = NoisePoint(0.8, 0.6, 300.0)
    step = Step(network, random(9), "sample", gone)
    assert torch.equal(step.run(faded).x0, C)
    assert step.rows == faded.rows(0, 20, gone) == 1 and faded.nfe() == 2


@pytest.mark.parametrize(
    ("start", "stop", "steps"),
    [(0.01, 0.2, [1, 2, 3]), (0.0, 1.0, list(range(1, 20))), (0.5, 0.5, []), (0.1, 0.3, [3, 4, 5]), (0.9, 0.2, [])],
)
def test_skip_layer_guidance_keeps_to_its_window(start: float, stop: float, steps: list[int]) -> None:
    """Strict at both ends, as in the reference code: step 2 of 20 is not after 0.1."""
    method = SkipLayerGuidance(start=start, stop=stop)
    costs: list[int] = []
    for i in range(20):
        step = Step(network, random(9))
        step.run(method, i=i)
        costs.append(step.rows)
    assert [i for i, cost in enumerate(costs) if cost == 2] == steps
    assert costs == [method.rows(i, 20, AT) for i in range(20)] and max(costs) == method.nfe()


def test_autoguidance_at_one_asks_no_weak_model() -> None:
    assert AutoGuidance().networks() == {"main", "weak"}
    assert AutoGuidance(autoguidance_scale=1).networks() == {"main"}
    assert AutoGuidance(autoguidance_scale=1).nfe() == 1


def test_a_wider_weak_model_points_to_the_data() -> None:
    """On a mixture known exactly: away from a model whose components are too wide, samples become likelier."""
    sharp = latent_mixture(spread=0.3)
    wide = type(sharp)(sharp.means, 1.5 * sharp.stds, sharp.weights, sharp.labels)
    x = AT.a * sharp.sample(200, seed=0) + AT.s * random(3, shape=(200, 4, 4, 4))

    def models(request: Request, x: Tensor, at: NoisePoint) -> Tensor:
        return (wide if request.model == "weak" else sharp).x0(x, at.a, at.s)

    likelier = [
        sharp.log_prob(Step(models, x).run(AutoGuidance(autoguidance_scale=w)).x0, 1.0, 0.0).mean().item()
        for w in (1.0, 1.5, 2.0)
    ]
    assert likelier == sorted(likelier) and likelier[-1] > likelier[0] + 0.1


@pytest.mark.parametrize(
    ("text", "paths"),
    [("", ()), (" , ", ()), ("mid_block", ("mid_block",)), ("a.0,b  c,a.0", ("a.0", "b", "c"))],
)
def test_layers_from_text(text: str, paths: tuple[str, ...]) -> None:
    assert layers_of(text) == paths
