"""What is claimed of a taste: on prompts it has not seen, by answers chosen at random, and once there are enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from studio.preference.answer import Answer
from studio.preference.label import Label
from studio.preference.taste.assessment import assess
from studio.preference.taste.basis import Basis
from studio.preference.taste.calibration import brier, expected_error, reliability, temperature, tie_parameter
from studio.preference.taste.likelihood import log_probabilities
from studio.preference.taste.model import FEWEST
from studio.preference.taste.objective import Settings
from studio.preference.taste.validation import folds, held_out_units, learning_curve, validate
from tests.preference.labels import answered, pair_label
from tests.preference.taste.simulated import World, with_ties

PLAIN = Settings(ties="none", ridge=1.0)


def share(tally: dict[int, tuple[float, int]]) -> tuple[float, int]:
    hits, n = (sum(column) for column in zip(*tally.values(), strict=True))
    return hits / n, int(n)


def test_a_prompt_is_held_out_whole_and_folds_are_even() -> None:
    world = World(0)
    answers = world.answers(world.labels(200))
    unit, groups = held_out_units(answers)
    fold_of = folds(groups)
    assert unit == "prompts" and set(fold_of.tolist()) == set(range(5))
    for group in groups.unique():
        assert len(fold_of[groups == group].unique()) == 1
    assert max(torch.bincount(fold_of)) - min(torch.bincount(fold_of)) <= max(torch.bincount(groups))
    assert torch.equal(folds(groups), fold_of)


def test_of_few_prompts_what_shares_a_picture_is_held_out_together() -> None:
    labels = [pair_label("a", "b", "first"), pair_label("c", "b", "first"), pair_label("d", "e", "second")]
    rows = {name: place for place, name in enumerate("abcde")}
    world = World(0)
    world.rows = rows
    unit, groups = held_out_units(world.answers(labels))
    assert unit == "pictures" and groups[0] == groups[1] != groups[2]
    together = [pair_label("a", "b", "first"), pair_label("b", "c", "first")]
    with pytest.raises(ValueError, match="none can be held out"):
        validate(torch.zeros(5, 2, dtype=torch.float64), world.answers(together), PLAIN)


def test_a_clear_taste_is_right_and_answers_by_chance_are_not_made_to_look_so() -> None:
    world = World(1, scale=3.0)
    accuracy, n = share(assess(world.features, world.answers(world.labels(300)), PLAIN).tally())
    assert n == 300 and accuracy > 0.75
    noise = world.labels(400, lambda margin, rng: "first" if rng.random() < 0.5 else "second")
    accuracy, n = share(assess(world.features, world.answers(noise), PLAIN).tally())
    assert abs(accuracy - 0.5) < 3 * (0.25 / n) ** 0.5


def test_a_weak_signal_takes_a_strong_ridge() -> None:
    world = World(2, scale=0.3, size=60)
    weak = assess(world.features, world.answers(world.labels(120)), PLAIN)
    strong_world = World(2, scale=6.0, size=4)
    strong = assess(strong_world.features, strong_world.answers(strong_world.labels(400)), PLAIN)
    assert weak.held_out is not None and strong.held_out is not None
    assert weak.held_out.ridge > strong.held_out.ridge
    assert strong.taste.settings.ridge == strong.held_out.ridge


def test_only_what_was_chosen_at_random_is_counted() -> None:
    world = World(3, scale=3.0)
    labels = world.labels(60) + world.labels(60, chosen_by="bald")
    assessment = assess(world.features, world.answers(labels), PLAIN)
    assert assessment.why == "" and share(assessment.tally())[1] == 60
    assert assessment.taste.labels == 120
    chosen = assess(world.features, world.answers(labels[55:]), PLAIN)
    assert "there are 5" in chosen.why and chosen.tally() == {}


def test_before_twenty_answers_nothing_is_claimed() -> None:
    world = World(4, scale=3.0)
    labels = world.labels(FEWEST)
    few = assess(world.features, world.answers(labels[:-1]), PLAIN)
    assert few.why == "Nothing is claimed before 20 answers; there are 19." and few.tally() == {}
    assert few.disagreements() == [] and few.calibration is None and few.taste.labels == 19
    assert share(assess(world.features, world.answers(labels), PLAIN).tally())[1] == 20


def test_labels_that_contradict_the_rest_come_first_among_disagreements() -> None:
    world = World(5, scale=6.0)
    labels = world.labels(200, with_ties(0.5))
    utility = world.features @ world.direction
    pairs = [[float(utility[world.rows[picture.sha256]]) for picture in label.pictures] for label in labels]
    clearest = max(range(200), key=lambda place: abs(pairs[place][0] - pairs[place][1]))
    wrong = "second" if pairs[clearest][0] > pairs[clearest][1] else "first"
    flipped = replace(labels[clearest], answer=Answer.pair(wrong))
    labels[clearest] = flipped
    (label, loss), *rest = assess(world.features, world.answers(labels), Settings()).disagreements(5)
    assert label is flipped and all(loss >= later for _, later in rest)


def test_more_labels_are_more_often_right() -> None:
    world = World(6, scale=2.0)
    answers = world.answers(world.labels(400))
    points = learning_curve(Basis.fit(world.features)(world.features), answers, PLAIN, [10, 300, 1000])
    assert [(size, n) for size, _, n in points] == [(10, 400), (300, 400)]
    assert points[1][1] > points[0][1]


def test_lists_are_counted_by_their_preferences() -> None:
    world = World(7, scale=3.0)
    utility = world.features @ world.direction
    labels: list[Label] = []
    for prompt in range(40):
        four = list(range(20 * prompt, 20 * prompt + 4))
        best = max(range(4), key=lambda place: float(utility[four[place]]))
        names = tuple(f"{number:05}" for number in four)
        labels.append(answered(names, Answer.best(best, 4), prompt=world.prompts[four[0]]))
    accuracy, n = share(assess(world.features, world.answers(labels), PLAIN).tally())
    assert n == 120 and accuracy > 0.7


def test_probabilities_are_set_right_by_a_temperature() -> None:
    generator = torch.Generator().manual_seed(0)
    margin = 3 * torch.randn(4000, generator=generator, dtype=torch.float64)
    logs = log_probabilities(margin, "rao_kupper", 1.0)
    outcome = 1 - torch.multinomial(logs.exp(), 1, generator=generator)[:, 0]
    assert temperature(3 * margin, outcome, "rao_kupper", 1.0) == pytest.approx(3, rel=0.15)
    assert temperature(margin, outcome, "rao_kupper", 1.0) == pytest.approx(1, rel=0.15)
    assert tie_parameter(margin, outcome, "rao_kupper", 3.0) == pytest.approx(1, rel=0.15)
    assert temperature(margin[:0], outcome[:0], "none", 0.0) == 1 and tie_parameter(margin, outcome, "none", 0.0) == 0
    won = (torch.rand(4000, generator=generator, dtype=torch.float64) < margin.sigmoid()).double()
    assert expected_error(margin.sigmoid(), won) < 0.03 < 0.08 < expected_error((3 * margin).sigmoid(), won)
    assert brier(margin.sigmoid(), won) < brier((3 * margin).sigmoid(), won)


def test_reliability_bins_are_even_and_their_error_is_exact() -> None:
    predicted = torch.tensor([0.1, 0.2, 0.8, 0.9], dtype=torch.float64)
    won = torch.tensor([0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    low, high = reliability(predicted, won, 2)
    assert low == pytest.approx((0.15, 0.5, 2)) and high == pytest.approx((0.85, 1.0, 2))
    assert expected_error(predicted, won, 2) == pytest.approx((0.35 + 0.15) / 2)
    assert brier(predicted, won) == pytest.approx((0.01 + 0.64 + 0.04 + 0.01) / 4)
    assert reliability(predicted[:0], won[:0]) == [] and expected_error(predicted[:0], won[:0]) == 0


def test_an_assessment_is_calibrated_and_leaves_out_whom_it_refuses() -> None:
    world = World(8, scale=3.0)
    labels = world.labels(300, with_ties(1.0))
    assessment = assess(world.features, world.answers(labels))
    assert assessment.calibration is not None and assessment.calibration.n < 300
    assert assessment.calibration.brier < 0.25 and assessment.calibration.error < 0.15
    lefts = world.labels(60, left_bonus=50.0, annotator="lefty")
    with_lefty = assess(world.features, world.answers(labels + lefts))
    assert with_lefty.taste.refused == ("lefty",) and with_lefty.taste.labels == 300


def test_a_basis_standardises_and_turns() -> None:
    world = World(9)
    table = Basis.fit(torch.cat([world.features * torch.arange(1, 9), torch.ones(800, 1)], 1), components=5)(
        torch.cat([world.features * torch.arange(1, 9), torch.ones(800, 1)], 1)
    )
    assert table.shape == (800, 5)
    assert torch.allclose(table.mean(0), torch.zeros(5, dtype=torch.float64), atol=1e-9)
    assert float(table.var(0, correction=0).mean()) == pytest.approx(1)
    same = Basis.fit(torch.ones(4, 3))
    assert same(torch.ones(2, 3)).shape == (2, 0)
    for wrong in (torch.ones(1, 3), torch.tensor([[1.0], [float("nan")]])):
        with pytest.raises(ValueError, match="finite"):
            Basis.fit(wrong)
