"""Objectives of preference, exactly: their values at the reference, their signs, their limits, and who learns."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch

from studio.alignment.dpo import DiffusionDPO
from studio.alignment.errors import PairObjective, Space, error
from studio.alignment.lists import ListDPO, rank_weights
from studio.alignment.mapo import K, MaPO, odds
from studio.alignment.sft import SFT
from studio.alignment.soft import SHARPNESS, SoftDPO
from studio.alignment.ties import TieAwareDPO
from studio.alignment.unpaired import BCO, KTO
from studio.diffusion.parameterisation import Parameterisation
from tests.alignment.making import A, Errors, S, numbers, predictions, total

OBJECTIVES: dict[str, PairObjective] = {
    "dpo": DiffusionDPO(),
    "dpo robust": DiffusionDPO(form="robust", flipped=0.2),
    "dpo hinge": DiffusionDPO(form="hinge"),
    "dpo ipo": DiffusionDPO(form="ipo"),
    "dpo positive": DiffusionDPO(penalty=2.0, anchor=0.3),
    "ties": TieAwareDPO(),
    "davidson": TieAwareDPO(model="davidson"),
    "smpo": SoftDPO(),
    "mapo": MaPO(),
    "sft": SFT(),
    "kto": KTO(),
    "bco": BCO(),
    "lists": ListDPO(count=3),
    "rank": ListDPO(count=3, form="rank"),
}
SAME: Errors = {side: ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) for side in ("winner", "loser", "place 2")}
CLOSE: Any = {"rel": 1e-9, "abs": 1e-11}  # float64: eps times some hundred elements and operations


def moved(winner: float, loser: float) -> Errors:
    """The student's errors differ from the base's by these."""
    base = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    return {"winner": (base + winner, base), "loser": (base + loser, base), "place 2": (base, base)}


def z_of(winner: float, loser: float, beta: float = 100.0) -> float:
    return beta / 2 * (loser - winner)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow", "sample"])
def test_errors_are_those_of_the_networks_own_space(name: str, kind: Parameterisation) -> None:
    """So every objective has one value, whatever the network puts out."""
    objective, errors = OBJECTIVES[name], moved(-0.01, 0.02)
    assert total(objective, errors, kind) == pytest.approx(total(objective, errors), **CLOSE)
    made = predictions(objective, errors, kind)
    assert error(made, "winner", "student").tolist() == pytest.approx([0.09, 0.19, 0.29], **CLOSE)


def test_the_spaces_are_weights_over_noise_levels() -> None:
    """Of a velocity network: the error in noise is a^2 of its own, that in data s^2, where a^2 + s^2 is 1."""
    norm = (A.double().square() + S.double().square()).flatten()
    made = predictions(DiffusionDPO(), moved(-0.01, 0.02), "v_prediction")
    own = error(made, "winner", "student")
    in_noise, in_data = (error(made, "winner", "student", space) for space in get_args(Space)[1:])
    for measured, weight in ((in_noise, A), (in_data, S)):
        expected = own * weight.double().flatten().square() / norm.square()
        torch.testing.assert_close(measured, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dpo", math.log(2)),
        ("dpo robust", math.log(2)),
        ("dpo hinge", 1.0),
        ("dpo ipo", 1 / 1000**2),
        ("ties", math.log(4)),
        ("davidson", math.log(4)),
        ("smpo", math.log(2)),
        ("kto", 0.5),
        ("bco", math.log(2)),
        ("lists", math.log(6)),
        ("rank", math.log(2)),
    ],
)
def test_at_the_reference_it_is_what_no_knowledge_gives(name: str, value: float) -> None:
    assert total(OBJECTIVES[name], SAME) == pytest.approx(value, **CLOSE)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_student_alone_learns(name: str) -> None:
    objective = OBJECTIVES[name]
    made = predictions(objective, moved(-0.003, 0.004))
    for prediction in made.values():
        prediction.raw.requires_grad_()
    torch.stack([*objective.terms(made, numbers(objective)).values()]).sum().backward()
    for need in objective.needs:
        gradient = made[need.name].raw.grad
        if need.by == "student":
            assert gradient is not None and bool(gradient.abs().max() > 0), need
        elif need.by == "frozen":
            assert gradient is None, need


@pytest.mark.parametrize("name", ["dpo", "dpo robust", "ties", "davidson", "smpo", "mapo"])
def test_the_margin_changes_its_sign_with_the_sides(name: str) -> None:
    objective, errors = OBJECTIVES[name], moved(-0.01, 0.02)
    swapped: Errors = {"winner": errors["loser"], "loser": errors["winner"]}
    margins: list[torch.Tensor] = []
    for arrangement in (errors, swapped):
        if isinstance(objective, MaPO):
            sides = [torch.as_tensor(arrangement[side][0]) for side in ("winner", "loser")]
            margins.append(odds(sides[0]) - odds(sides[1]))
        else:
            margins.append(objective.margin(predictions(objective, arrangement)))
    torch.testing.assert_close(margins[0], -margins[1], rtol=1e-9, atol=1e-12)


def test_dpo_is_its_equation() -> None:
    z = z_of(-0.01, 0.02)
    assert total(DiffusionDPO(), moved(-0.01, 0.02)) == pytest.approx(math.log1p(math.exp(-z)), **CLOSE)
    f = 0.2
    smoothed = (1 - f) * math.log1p(math.exp(-z)) + f * math.log1p(math.exp(z))
    robust = ((1 - f) * math.log1p(math.exp(-z)) - f * math.log1p(math.exp(z))) / (1 - 2 * f)
    assert total(DiffusionDPO(flipped=f), moved(-0.01, 0.02)) == pytest.approx(smoothed, **CLOSE)
    assert total(DiffusionDPO(form="robust", flipped=f), moved(-0.01, 0.02)) == pytest.approx(robust, **CLOSE)
    assert total(DiffusionDPO(form="hinge"), moved(-0.001, 0.002)) == pytest.approx(1 - z_of(-0.001, 0.002), **CLOSE)
    ipo = (0.5 * 0.03 - 1 / 200) ** 2
    assert total(DiffusionDPO(form="ipo", tau=100), moved(-0.01, 0.02)) == pytest.approx(ipo, **CLOSE)


def test_smoothing_stops_at_a_finite_margin() -> None:
    z = torch.tensor(math.log(0.8 / 0.2), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(DiffusionDPO(flipped=0.2).losses(z), z)
    assert float(slope) == pytest.approx(0, abs=1e-15)


def test_the_penalty_is_for_winners_that_got_worse_and_no_others() -> None:
    plain, positive = DiffusionDPO(), DiffusionDPO(penalty=3.0)
    better, worse = moved(-0.01, 0.02), moved(0.01, 0.04)
    assert total(positive, better) == pytest.approx(total(plain, better), **CLOSE)
    z = float(positive.logits(predictions(positive, worse))[0])
    assert z == pytest.approx(z_of(0.01, 0.04) - 100 * 3 * 0.01, **CLOSE)


@pytest.mark.parametrize("objective", [TieAwareDPO(theta=4.0), TieAwareDPO(model="davidson", nu=0.7)])
def test_probabilities_of_win_tie_and_loss_sum_to_one(objective: TieAwareDPO) -> None:
    d = torch.linspace(-6, 6, 25, dtype=torch.float64)
    (win, tie), (loss, _) = objective.losses(d), objective.losses(-d)
    probability = win.neg().exp() + tie.neg().exp() + loss.neg().exp()
    torch.testing.assert_close(probability, torch.ones_like(d), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("objective", "slope"), [(TieAwareDPO(), -0.75), (TieAwareDPO(model="davidson"), -0.5)])
def test_a_tie_rests_at_equality_and_pulls_back(objective: TieAwareDPO, slope: float) -> None:
    d = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    win, tie = objective.losses(d)
    (of_tie,) = torch.autograd.grad(tie.sum(), d, retain_graph=True)
    (of_win,) = torch.autograd.grad(win.sum(), d)
    assert float(of_tie[0]) < -0.01 < 0.01 < float(of_tie[2]) and float(of_tie[1]) == pytest.approx(0, abs=1e-15)
    assert float(of_win[1]) == pytest.approx(slope, **CLOSE)
    assert float(tie[1].detach()) == pytest.approx(math.log(2), **CLOSE)


def test_without_ties_it_is_dpo() -> None:
    errors = moved(-0.01, 0.02)
    limit = total(DiffusionDPO(), errors)
    assert total(TieAwareDPO(theta=1.001), errors) == pytest.approx(limit, rel=2e-3)
    assert total(TieAwareDPO(model="davidson", nu=0.001), errors) == pytest.approx(limit, rel=2e-3)
    assert total(TieAwareDPO(), errors, tie=[1, 1, 1]) != pytest.approx(total(TieAwareDPO(), errors), rel=0.1)


def test_soft_labels_teach_as_much_as_is_known() -> None:
    errors, z = moved(-0.01, 0.02), z_of(-0.01, 0.02)
    assert total(SoftDPO(), errors, p=[0.5] * 3) == pytest.approx(math.log(2), **CLOSE)
    assert total(SoftDPO(), errors, p=[0.6] * 3) == pytest.approx(math.log1p(math.exp(-SHARPNESS * 0.2 * z)), **CLOSE)
    soft, gain = SoftDPO(form="soft"), math.log(0.7 / 0.3) / 50
    base = [0.5] * 3
    made = predictions(soft, {"winner": ([0.5 - gain] * 3, base), "loser": (base, base)})
    raw = made["winner/student"].raw.requires_grad_()
    (slope,) = torch.autograd.grad(soft.terms(made, numbers(soft, p=[0.7] * 3))["preference"], raw)
    assert float(slope.abs().max()) == pytest.approx(0, abs=1e-12)  # at rest where the odds are those of p


def test_mapo_needs_no_reference_and_is_finite_at_no_error() -> None:
    objective = MaPO()
    assert {need.by for need in objective.needs} == {"student", "truth"}
    assert float(odds(torch.tensor(0.0))) == 1.0
    above, below = (torch.tensor(scaled / K, dtype=torch.float64) for scaled in (2e-6, 0.5e-6))
    assert float(odds(above)) == pytest.approx(1 - 1e-6, abs=1e-11)
    assert float(odds(below)) == pytest.approx(1 - 0.25e-6, abs=1e-11)
    equal: Errors = {side: ([0.2] * 3, [0.2] * 3) for side in ("winner", "loser")}
    assert total(objective, equal) == pytest.approx(0.2 + 0.1 * math.log(2), **CLOSE)
    made = predictions(objective, equal)
    raws = [made[f"{side}/student"].raw.requires_grad_() for side in ("winner", "loser")]
    terms = objective.terms(made, numbers(objective))
    margins = torch.autograd.grad(terms["margin"], raws, retain_graph=True)
    gaps = [raw.detach() - made[f"{side}/truth"].eps for side, raw in zip(("winner", "loser"), raws, strict=True)]
    slopes = [float((margin * gap).sum() / gap.square().sum()) for margin, gap in zip(margins, gaps, strict=True)]
    assert slopes[0] == pytest.approx(-slopes[1], **CLOSE)  # opposite: the winner's own likelihood is beside it
    (own,) = torch.autograd.grad(terms["likelihood"], raws[0])
    assert float((own * gaps[0]).sum() / gaps[0].square().sum()) == pytest.approx(2 / gaps[0].numel(), **CLOSE)


def test_kto_and_bco_are_their_equations() -> None:
    errors = moved(-0.01, 0.02)  # gains of .01 and -.02
    reference, threshold, up, down = 0.0, -0.005, 0.01, -0.02

    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    kto = (1 - sigmoid(50 * (up - reference))) / 2 + (1 - sigmoid(-50 * (down - reference))) / 2
    assert total(KTO(), errors) == pytest.approx(kto, **CLOSE)
    bco = (math.log1p(math.exp(-50 * (up - threshold))) + math.log1p(math.exp(50 * (down - threshold)))) / 2
    assert total(BCO(), errors) == pytest.approx(bco, **CLOSE)
    without = KTO(down=0.0)
    assert total(without, errors) == pytest.approx((1 - sigmoid(50 * up)) / 2, **CLOSE)
    assert without.needs[1].condition != without.needs[0].condition  # each under a prompt of its own


def test_bco_does_not_mind_a_gain_of_both() -> None:
    assert total(BCO(), moved(-0.01, 0.02)) == pytest.approx(total(BCO(), moved(-0.05, -0.02)), **CLOSE)


def test_lists_of_two_are_dpo_and_weights_are_those_of_the_paper() -> None:
    errors, pair = moved(-0.01, 0.02), total(DiffusionDPO(), moved(-0.01, 0.02))
    for objective in (ListDPO(count=2), ListDPO(count=2, form="best"), ListDPO(count=2, form="rank", beta=50)):
        assert total(objective, errors) == pytest.approx(pair, **CLOSE)
    weights = rank_weights([0.9, 0.6, 0.4, 0.1])
    above = [float(weights[i, j]) for i in range(4) for j in range(i + 1, 4)]
    assert above == pytest.approx([0.187, 0.394, 0.652, 0.037, 0.128, 0.025], abs=6e-4)


def test_best_of_n_says_nothing_of_those_behind() -> None:
    best, order, base = ListDPO(count=3, form="best"), ListDPO(count=3), [0.2] * 3
    one: Errors = {"winner": ([0.1] * 3, base), "place 2": ([0.2] * 3, base), "loser": ([0.3] * 3, base)}
    other: Errors = {**one, "place 2": one["loser"], "loser": one["place 2"]}
    assert total(best, one) == pytest.approx(total(best, other), **CLOSE)
    assert total(order, one) < total(order, other)


def test_a_rows_weight_is_its_share() -> None:
    base = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    errors: Errors = {"winner": (base - torch.tensor([0.01, 0.0, -0.02]), base), "loser": (base, base)}
    objective = DiffusionDPO()
    alone = [total(objective, errors, weight=[float(row == chosen) for row in range(3)]) for chosen in range(3)]
    assert sum(alone) == pytest.approx(total(objective, errors), **CLOSE)
    assert total(objective, errors, weight=[0, 0, 0]) == 0


def test_measures_tell_displacement() -> None:
    objective = DiffusionDPO()
    shown = objective.measures(predictions(objective, moved(0.01, 0.04)))
    assert float(shown["winner error"] - shown["winner error of the base"]) == pytest.approx(0.01, **CLOSE)
    assert float(shown["implicit accuracy"]) == 1 and float(shown["margin"]) == pytest.approx(0.03, **CLOSE)
    assert MaPO().measures(predictions(MaPO(), SAME)).keys() == {"winner error", "loser error"}
    assert SFT().measures(predictions(SFT(), SAME)).keys() == {"winner error"}
