"""Sliders, SPM and negation, exactly: on a network linear in its prompt, with factors that act at a strength."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.diffusion.predictions import STATE, UNCONDITIONAL, Loss, Need, Prediction
from studio.erasure.columns import CONCEPT, LESS, MORE, NEUTRAL, SUBSTITUTE, TARGET
from studio.erasure.esd import ESD
from studio.erasure.negation import Negation
from studio.erasure.picture_slider import AFTER, PictureSlider
from studio.erasure.slider import Slider
from studio.erasure.spm import SPM
from tests.tolerance import rounding

WIDTH, RANK = 6, 2
A_T, S_T = torch.tensor([0.8, 0.3]).double().view(2, 1, 1, 1), torch.tensor([0.6, 0.954]).double().view(2, 1, 1, 1)
LOSSES: dict[str, Loss] = {
    "slider": Slider(),
    "one way": Slider(gamma=2.0, both_ways=False, reach=0.5),
    "pictures": PictureSlider(),
    "negation": Negation(),
    "spm": SPM(kappa=3.0, anchors=2),
    "spm substitute": SPM(neutral="substitute"),
}


def seeded(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Network:
    """eps(x, c) = x w + (W + strength B A) c: of a prompt as its vector, spread over the elements of x."""

    def __init__(self, b: Tensor | None = None, prompts: Mapping[str, Tensor] | None = None) -> None:
        self.weight = seeded(3 * 4 * 4, WIDTH, seed=1)
        self.a = seeded(RANK, WIDTH, seed=2)
        self.b = (seeded(3 * 4 * 4, RANK, seed=3) if b is None else b).clone().requires_grad_()
        self.prompts = dict(prompts or {})
        noise = seeded(2, 3, 4, 4, seed=4)
        self.noise = noise
        self.show(seeded(2, 3, 4, 4, seed=5), seeded(2, 3, 4, 4, seed=6))

    def show(self, before: Tensor, after: Tensor) -> Network:
        """These are its pictures; give itself."""
        self.x = {STATE: A_T * before + S_T * self.noise, AFTER: A_T * after + S_T * self.noise}
        return self

    def prompt(self, need: Need) -> Tensor:
        name = f"{need.condition}/{need.anchor}" if need.anchor else need.condition
        return self.prompts.setdefault(name, seeded(WIDTH, seed=sum(map(ord, name))))

    def eps(self, need: Need) -> Tensor:
        if need.by == "truth":
            return self.noise
        vector, x = self.prompt(need), self.x[need.state]
        says = self.weight @ vector
        if need.by == "student":
            says = says + need.strength * self.b @ (self.a @ vector)
        return 0.3 * x + says.view(1, 3, 4, 4)

    def answers(self, loss: Loss, kind: Parameterisation = "epsilon") -> dict[str, Prediction]:
        found: dict[str, Prediction] = {}
        for need in loss.needs:
            x, eps = self.x[need.state], self.eps(need)
            found[need.name] = Prediction(kind, from_x0(kind, (x - S_T * eps) / A_T, x, A_T, S_T), x, A_T, S_T)
        return found

    def total(self, loss: Loss, kind: Parameterisation = "epsilon") -> Tensor:
        return torch.stack([*loss.terms(self.answers(loss, kind)).values()]).sum()

    def gradient(self, loss: Loss) -> Tensor:
        (gradient,) = torch.autograd.grad(self.total(loss), self.b)
        return gradient


ZERO = torch.zeros(3 * 4 * 4, RANK, dtype=torch.float64)


def near(value: Tensor) -> dict[str, Any]:
    return {"rtol": 0, "atol": rounding(torch.float64, 200, float(value.detach().abs().max()) + 1)}


@pytest.mark.parametrize("name", LOSSES)
def test_the_student_learns_and_the_teacher_does_not(name: str) -> None:
    loss, network = LOSSES[name], Network()
    raws = {need.name: network.eps(need).detach().requires_grad_() for need in loss.needs}
    terms = loss.terms(
        {need.name: Prediction("epsilon", raws[need.name], network.x[need.state], A_T, S_T) for need in loss.needs}
    )
    torch.stack([*terms.values()]).sum().backward()
    for need in loss.needs:
        assert need.by == "truth" or (raws[need.name].grad is not None) == (need.by == "student"), need
    assert all(term.ndim == 0 and term.detach() > 0 for term in terms.values())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["v_prediction", "flow"])
def test_it_means_the_same_in_every_parameterisation(name: str, kind: Parameterisation) -> None:
    expected = Network().total(LOSSES[name])
    torch.testing.assert_close(Network().total(LOSSES[name], kind), expected, rtol=1e-9, atol=0)


# -- sliders of prompts -----------------------------------------------------------------------------------------------


def swapped(network: Network) -> dict[str, Tensor]:
    """Its prompts with more and less in each other's place."""
    names = {MORE: LESS, LESS: MORE}
    return {names.get(name, name): vector for name, vector in network.prompts.items()}


def test_a_slider_with_its_ends_swapped_is_the_slider_turned_round() -> None:
    """Of one that is taught both ways exactly, whatever its factors are."""
    network, loss = Network(), Slider()
    total, gradient = network.total(loss), network.gradient(loss)
    turned = Network(-network.b.detach(), swapped(network))
    torch.testing.assert_close(turned.total(loss), total, **near(total))
    torch.testing.assert_close(turned.gradient(loss), -gradient, **near(gradient))


def test_taught_one_way_it_is_turned_round_to_first_order() -> None:
    network, loss = Network(ZERO), Slider(both_ways=False)
    network.prompts[NEUTRAL] = network.prompts[TARGET] = seeded(WIDTH, seed=11)
    gradient = network.gradient(loss)
    turned = Network(ZERO, swapped(network)).gradient(loss)
    torch.testing.assert_close(turned, -gradient, **near(gradient))
    assert gradient.abs().max() > 1e-3


def test_both_ways_cancel_what_is_no_matter_of_more_or_less() -> None:
    """Where the neutral prompt is another than the target, one side alone is drawn there; both together are not."""
    network = Network(ZERO)
    network.prompts[MORE] = network.prompts[LESS] = seeded(WIDTH, seed=12)
    assert network.gradient(Slider(both_ways=False)).abs().max() > 1e-3
    gradient = network.gradient(Slider())
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), **near(gradient))


def test_the_target_is_affine_in_gamma_and_met_at_its_reach() -> None:
    network = Network()

    def target(gamma: float) -> Tensor:
        loss = Slider(gamma=gamma, both_ways=False, reach=0.5)
        answers = network.answers(loss)
        at = answers["at more"].raw.detach().requires_grad_()
        answers["at more"] = Prediction("epsilon", at, network.x[STATE], A_T, S_T)
        loss.terms(answers)["more"].backward()
        assert at.grad is not None
        return at.detach() - at.grad * at.numel() / 2  # the gradient is 2 (student - target) / n

    middle = (target(1.0) + target(3.0)) / 2
    torch.testing.assert_close(target(2.0), middle, **near(middle))
    neutral = network.eps(Need("neutral", "frozen", NEUTRAL)).detach()
    torch.testing.assert_close(target(0.0), neutral, **near(neutral))
    strengths = [need.strength for need in Slider(reach=0.5).needs if need.by == "student"]
    assert strengths == [0.5, -0.5]


@pytest.mark.parametrize("eta", [0.0, 1.0, 2.5])
def test_the_erasure_of_leco_is_esd_s(eta: float) -> None:
    network = Network()
    esd = network.total(ESD(eta=eta))
    concept, null = network.prompts[CONCEPT], network.prompts[UNCONDITIONAL]
    leco = Network(prompts={TARGET: concept, LESS: concept, MORE: null, NEUTRAL: null})
    total = leco.total(Slider(gamma=eta, both_ways=False))
    torch.testing.assert_close(total, esd, **near(esd))


# -- sliders of pictures ----------------------------------------------------------------------------------------------


def test_equal_pictures_teach_nothing_and_sides_swapped_teach_the_opposite() -> None:
    before, after = seeded(2, 3, 4, 4, seed=5), seeded(2, 3, 4, 4, seed=6)
    equal = Network(ZERO).show(before, before).gradient(PictureSlider())
    torch.testing.assert_close(equal, torch.zeros_like(equal), **near(equal))
    gradient = Network(ZERO).show(before, after).gradient(PictureSlider())
    opposite = Network(ZERO).show(after, before).gradient(PictureSlider())
    torch.testing.assert_close(opposite, -gradient, **near(gradient))
    assert gradient.abs().max() > 1e-3


# -- negation ---------------------------------------------------------------------------------------------------------


def test_negation_learns_the_opposite_of_what_draws_the_concept_better() -> None:
    network = Network(ZERO)
    gradient = network.gradient(Negation())
    learning = network.eps(Need("learning", "student", CONCEPT))
    (towards,) = torch.autograd.grad((learning - network.noise).square().mean(), network.b)
    torch.testing.assert_close(gradient, -towards, **near(towards))


# -- SPM --------------------------------------------------------------------------------------------------------------


def test_an_anchor_that_the_factors_do_not_see_holds_nothing() -> None:
    """Orthogonal to what they read, it is as the base has it, in value and gradient: the erasure alone is left."""
    loss = SPM(kappa=1000.0, anchors=2)
    network = Network()
    _, _, directions = torch.linalg.svd(network.a)
    for number in (1, 2):
        network.prompts[f"{CONCEPT}/{number}"] = directions[RANK + number - 1]
    terms = loss.terms(network.answers(loss))
    assert float(terms["anchoring"].detach()) <= rounding(torch.float64, 100, 1000)
    (gradient,) = torch.autograd.grad(terms["anchoring"], network.b)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=rounding(torch.float64, 100, 1000))
    seen = Network()
    assert float(loss.terms(seen.answers(loss))["anchoring"].detach()) > 1


def test_fresh_factors_are_at_their_anchors_and_its_erasure_is_esd_s() -> None:
    network = Network(ZERO)
    terms = SPM(gamma=1.5).terms(network.answers(SPM(gamma=1.5)))
    assert float(terms["anchoring"].detach()) == 0
    torch.testing.assert_close(terms["erasure"], network.total(ESD(eta=1.5)), **near(terms["erasure"]))


def test_its_neutral_prompt_may_be_the_substitute_s() -> None:
    conditions = [need.condition for need in SPM(neutral="substitute").needs if need.name == "neutral"]
    assert conditions == [SUBSTITUTE]
    network = Network(ZERO)
    network.prompts[CONCEPT] = network.prompts[SUBSTITUTE] = seeded(WIDTH, seed=13)
    loss = SPM(neutral="substitute")
    assert float(network.total(loss).detach()) == 0  # a concept that is its own substitute
