"""Ties, choices and thumbs: the exact values and slopes of their likelihoods."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.preference.taste.likelihood import (
    USUAL_TIE,
    TieModel,
    choice_loss,
    decided_logit,
    judgement_loss,
    log_probabilities,
    outcome_loss,
    unreliable_loss,
)
from tests.tolerance import rounding

F64 = torch.float64
MARGINS = torch.linspace(-6, 6, 25, dtype=F64)
WITH_TIES: tuple[TieModel, ...] = ("rao_kupper", "davidson")
WIN, TIE, LOSS = (torch.tensor(outcome) for outcome in (1, 0, -1))


def slope(model: TieModel, outcome: Tensor, at: float) -> float:
    margin = torch.tensor(at, dtype=F64, requires_grad=True)
    outcome_loss(margin, outcome, model, USUAL_TIE[model]).backward()
    assert margin.grad is not None
    return float(margin.grad)


@pytest.mark.parametrize("model", WITH_TIES)
def test_the_three_outcomes_are_all_there_are_and_mirror_each_other(model: TieModel) -> None:
    logs = log_probabilities(MARGINS, model, USUAL_TIE[model])
    assert torch.allclose(logs.exp().sum(-1), torch.ones_like(MARGINS), rtol=0, atol=rounding(F64, 10))
    assert torch.allclose(logs, log_probabilities(-MARGINS, model, USUAL_TIE[model]).flip(-1))
    assert bool((logs[1:, 0] > logs[:-1, 0]).all())
    # Equal pictures: a tie as likely as not, and the values that each paper has there.
    at_zero = log_probabilities(torch.zeros((), dtype=F64), model, USUAL_TIE[model])
    assert torch.allclose(at_zero, -torch.tensor([math.log(4), math.log(2), math.log(4)], dtype=F64))


def test_slopes_of_a_win_where_pictures_are_equal() -> None:
    assert slope("rao_kupper", WIN, 0) == pytest.approx(-0.75)
    assert slope("davidson", WIN, 0) == pytest.approx(-0.5)
    assert slope("none", WIN, 0) == pytest.approx(-0.5)


@pytest.mark.parametrize("model", WITH_TIES)
def test_a_tie_pulls_towards_equal_and_not_at_equal(model: TieModel) -> None:
    assert slope(model, TIE, 0) == 0
    assert slope(model, TIE, 1) > 0 > slope(model, TIE, -1)
    if model == "davidson":
        normaliser = 2 * math.cosh(1) + 2
        assert slope(model, TIE, 2) == pytest.approx(math.sinh(1) / normaliser)


@pytest.mark.parametrize("model", WITH_TIES)
def test_without_ties_each_is_bradley_terry(model: TieModel) -> None:
    plain = log_probabilities(MARGINS, "none", 0)
    for outcome in (WIN, LOSS):
        expected = outcome_loss(MARGINS, outcome.expand_as(MARGINS), "none", 0)
        assert torch.allclose(outcome_loss(MARGINS, outcome.expand_as(MARGINS), model, 0), expected)
    assert bool((plain[:, 1] == -math.inf).all())
    assert torch.allclose(decided_logit(MARGINS, "davidson", 2.0), MARGINS)
    assert torch.allclose(decided_logit(MARGINS, "none", 0.0), MARGINS)
    assert bool((decided_logit(MARGINS, "rao_kupper", 1.0).abs() >= MARGINS.abs()).all())


def test_a_pair_of_passes_across_prompts_is_a_tie_with_another_constant() -> None:
    # SoliReward's tie term, arXiv:2512.22170: -log s(d - m) - log s(-d - m), with m = 3.
    m = 3.0
    theirs = -torch.nn.functional.logsigmoid(MARGINS - m) - torch.nn.functional.logsigmoid(-MARGINS - m)
    ours = outcome_loss(MARGINS, TIE.expand_as(MARGINS), "rao_kupper", m)
    constant = math.log(math.expm1(2 * m))
    assert torch.allclose(theirs - ours, torch.full_like(MARGINS, constant), atol=rounding(F64, 10, 20))


def test_a_choice_of_two_is_bradley_terry_and_one_of_many_leaves_gaps_out() -> None:
    rewards = torch.stack([MARGINS, torch.zeros_like(MARGINS)], -1)
    first = torch.zeros(len(MARGINS), dtype=torch.long)
    assert torch.allclose(choice_loss(rewards, first), outcome_loss(MARGINS, WIN.expand_as(MARGINS), "none", 0))
    padded = torch.cat([rewards, torch.full((len(MARGINS), 2), -math.inf, dtype=F64)], -1)
    assert torch.equal(choice_loss(padded, first), choice_loss(rewards, first))
    assert float(choice_loss(torch.zeros(1, 4), torch.tensor([2]))) == pytest.approx(math.log(4))


def test_thumbs() -> None:
    assert float(judgement_loss(torch.tensor(0.0), torch.tensor(1.0))) == pytest.approx(math.log(2))
    assert torch.equal(judgement_loss(MARGINS, WIN), judgement_loss(-MARGINS, LOSS))


def test_an_annotator_who_errs_learns_less_and_one_who_guesses_nothing() -> None:
    reliable, guessing = (torch.full_like(MARGINS, share) for share in (1 - 1e-12, 0.5))
    win = WIN.expand_as(MARGINS)
    sure = unreliable_loss(MARGINS, win, "rao_kupper", 1.0, reliable)
    assert torch.allclose(sure, outcome_loss(MARGINS, win, "rao_kupper", 1.0), atol=1e-6)
    either = unreliable_loss(MARGINS, win, "none", 0.0, guessing)
    assert torch.allclose(either, torch.full_like(MARGINS, math.log(2)))
    tie = TIE.expand_as(MARGINS)
    tied = unreliable_loss(MARGINS, tie, "rao_kupper", 1.0, guessing)
    assert torch.allclose(tied, outcome_loss(MARGINS, tie, "rao_kupper", 1.0))
