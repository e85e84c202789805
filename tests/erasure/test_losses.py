"""Erasures that train, exactly: what each loss asks for, its targets, and where its gradients go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.diffusion.predictions import Loss, Need, Prediction
from studio.erasure.ablation import ConceptAblation
from studio.erasure.all_but_one import AllButOne
from studio.erasure.columns import CARRIER, CONCEPT, SUBSTITUTE
from studio.erasure.esd import ESD
from tests.tolerance import rounding

LOSSES: dict[str, Loss] = {
    "ca": ConceptAblation(),
    "abo": AllButOne(),
    "abo nothing": AllButOne(towards="nothing"),
    "abo away": AllButOne(towards="away", eta=0.5),
    "esd": ESD(),
    "esd from": ESD(eta=2.0, from_carrier=True),
}
A, S = torch.tensor([0.8, 0.3]).view(2, 1, 1, 1), torch.tensor([0.6, 0.954]).view(2, 1, 1, 1)
X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(9))


def noise(word: str, by: str = "frozen") -> Tensor:
    """What a network says of a prompt: the student differs from the base."""
    seed = sum(map(ord, word)) + (by == "student") * 1000
    return torch.randn(X.shape, generator=torch.Generator().manual_seed(seed))


def prediction(eps: Tensor, kind: Parameterisation = "epsilon") -> Prediction:
    return Prediction(kind, from_x0(kind, (X - S * eps) / A, X, A, S), X, A, S)


def answers(loss: Loss, value: Callable[[Need], Tensor], kind: Parameterisation = "epsilon") -> dict[str, Prediction]:
    return {need.name: prediction(value(need), kind) for need in loss.needs}


def total(loss: Loss, predictions: Mapping[str, Prediction]) -> Tensor:
    return torch.stack([*loss.terms(predictions).values()]).sum()


def of_need(need: Need) -> Tensor:
    return noise(need.condition, need.by)


@pytest.mark.parametrize("name", LOSSES)
def test_the_student_learns_from_a_frozen_teacher(name: str) -> None:
    """Gradients reach the student's predictions alone; of All but One's null only by way of its own drift."""
    loss = LOSSES[name]
    leaves = {need.name: of_need(need).requires_grad_() for need in loss.needs}
    predictions = {need.name: prediction(leaves[need.name]) for need in loss.needs}
    total(loss, predictions).backward()
    for need in loss.needs:
        assert (leaves[need.name].grad is not None) == (need.by == "student"), need
    if "null" in leaves and isinstance(loss, AllButOne):
        drift = 2 * loss.mu * (leaves["null"] - leaves["base"]).detach() / X.numel()
        torch.testing.assert_close(leaves["null"].grad, drift, rtol=1e-5, atol=rounding(torch.float32, 8))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["v_prediction", "flow"])
def test_it_means_the_same_in_every_parameterisation(name: str, kind: Parameterisation) -> None:
    loss = LOSSES[name]
    expected = total(loss, answers(loss, of_need))
    torch.testing.assert_close(total(loss, answers(loss, of_need, kind)), expected, rtol=1e-4, atol=1e-4)


def test_a_concept_that_is_its_own_substitute_has_nothing_to_learn() -> None:
    def same(need: Need) -> Tensor:
        return noise(CONCEPT if need.condition == SUBSTITUTE else need.condition)  # the student is the base

    for loss in (ConceptAblation(), AllButOne()):
        assert total(loss, answers(loss, same)) == 0


@pytest.mark.parametrize("scale", [0.0, 1.0, 7.5])
def test_where_all_but_one_is_done_guidance_means_the_substitute_at_every_scale(scale: float) -> None:
    null, substitute = noise(""), noise(SUBSTITUTE)
    done = {"": null, CONCEPT: null + (substitute - null), SUBSTITUTE: substitute}
    loss = AllButOne()
    assert total(loss, answers(loss, lambda need: done[need.condition])) <= rounding(torch.float32, 4, 16)
    guided = done[""] + scale * (done[CONCEPT] - done[""])
    torch.testing.assert_close(guided, null + scale * (substitute - null))
    away = AllButOne(towards="away", eta=0.0)  # away by nothing is towards nothing
    parts = answers(away, of_need)
    nothing = total(AllButOne(towards="nothing"), {name: parts[name] for name in ("concept", "null", "base")})
    assert total(away, parts) == nothing


def test_esd_s_two_forms_agree_where_they_are_said_to() -> None:
    """With the concept as its own carrier, eta + 1 of the second is eta of the first; eta = 0 leaves the carrier."""

    def value(need: Need) -> Tensor:
        return noise(CONCEPT if need.condition == CARRIER else need.condition, need.by)

    for eta in (0.0, 1.0, 2.5):
        first, second = ESD(eta=eta), ESD(eta=eta + 1, from_carrier=True)
        torch.testing.assert_close(total(first, answers(first, value)), total(second, answers(second, value)))
    unmoved = ESD(eta=0.0, from_carrier=True)
    assert total(unmoved, answers(unmoved, lambda need: noise(need.condition))) == 0


def test_esd_s_target_is_affine_in_eta() -> None:
    def target(eta: float) -> Tensor:
        loss = ESD(eta=eta)
        learning = of_need(loss.needs[0]).requires_grad_()
        predictions = answers(loss, of_need) | {"learning": prediction(learning)}
        total(loss, predictions).backward()
        assert learning.grad is not None
        return learning.detach() - learning.grad * X.numel() / 2  # the gradient is 2 (learning - target) / n

    torch.testing.assert_close(target(1.0), (target(0.0) + target(2.0)) / 2, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(target(0.0), noise(""), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("values", [{"towards": "sideways"}, {"mu": -1.0}, {"eta": 11.0}])
def test_numbers_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        AllButOne(**values)
