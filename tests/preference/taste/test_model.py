"""Taste models: what they recover, what they must not learn, and how sure they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.preference.label import Label
from studio.preference.taste.model import learn
from studio.preference.taste.objective import Settings
from tests.preference.labels import answered, pair_label
from tests.preference.taste.simulated import World, bradley_terry, cosine, reward_direction, with_ties
from tests.tolerance import rounding

PLAIN = Settings(ties="none", ridge=1.0)


@pytest.mark.parametrize(("scale", "seed"), [(1.0, 0), (1.0, 1), (2.0, 2)])
def test_the_direction_of_a_taste_is_recovered(scale: float, seed: int) -> None:
    world = World(seed, scale=scale)
    taste = learn(world.features, world.answers(world.labels(500)), PLAIN)
    assert cosine(reward_direction(taste), world.direction) > 0.95
    tied = learn(world.features, world.answers(world.labels(500, with_ties(1.1))), Settings(ridge=1.0))
    assert cosine(reward_direction(tied), world.direction) > 0.9
    davidson = learn(world.features, world.answers(world.labels(500, with_ties(1.1))), Settings("davidson", ridge=1.0))
    assert cosine(reward_direction(davidson), world.direction) > 0.9


def test_ties_alone_teach_that_all_are_equal() -> None:
    world = World(3)
    labels = world.labels(200, lambda margin, rng: "tie")
    for ties in ("rao_kupper", "davidson"):
        taste = learn(world.features, world.answers(labels), Settings(ties, learn_tie=False))
        assert float(taste.reward(world.features).abs().max()) == 0
    # Rare ties are learned as such: the threshold comes down.
    few = learn(world.features, world.answers(world.labels(400, with_ties(0.1))), Settings())
    many = learn(world.features, world.answers(world.labels(400, with_ties(2.0))), Settings())
    assert float(few.parameters.tie) < 0.4 < 1.5 < float(many.parameters.tie)


def test_what_a_side_is_worth_is_told_from_the_taste() -> None:
    world = World(4)
    fair = world.labels(300)
    mirrored = [replace(label, id=label.id + "m", order=label.order[::-1]) for label in fair]
    (side,) = learn(world.features, world.answers(fair + mirrored), PLAIN).sides
    assert abs(side.value) < 1e-3 and not side.flagged and side.answers == 600
    biased = world.labels(2000, left_bonus=0.5)
    (side,) = learn(world.features, world.answers(biased), PLAIN).sides
    assert abs(side.value - 0.5) < 3 * side.se and side.se < 0.1 and side.flagged and not side.refused


def test_nothing_is_learned_of_somebody_who_chooses_a_side() -> None:
    world = World(5)
    lefts = world.labels(100, left_bonus=50.0, annotator="lefty")
    with pytest.raises(BadInput, match="lefty chose one side"):
        learn(world.features, world.answers(lefts), PLAIN)
    honest = world.labels(300)
    taste = learn(world.features, world.answers(lefts + honest), PLAIN)
    assert taste.refused == ("lefty",) and taste.labels == 300
    assert cosine(reward_direction(taste), world.direction) > 0.9
    few = learn(world.features, world.answers(lefts[:10]), PLAIN)
    assert not few.refused  # ten say too little to refuse anybody
    with pytest.raises(BadInput, match="no answer"):
        learn(world.features, world.answers([]), PLAIN)


def test_what_all_pictures_of_a_prompt_share_changes_no_comparison() -> None:
    world = World(6)
    answers = world.answers(world.labels(200))
    shift = torch.randn(40, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taste = learn(world.features, answers, PLAIN)
    moved = world.features + shift.repeat_interleave(20, 0)
    elsewhere = learn(moved, answers, PLAIN, taste.basis)
    assert torch.allclose(taste.parameters.weights, elsewhere.parameters.weights, atol=1e-6)


def test_the_covariance_is_the_inverse_hessian_and_shrinks() -> None:
    world = World(7)
    labels = world.labels(400)
    traces: list[float] = []
    for number in (50, 400):
        answers = world.answers(labels[:number])
        taste = learn(world.features, answers, replace(PLAIN, side=False))
        table = taste.basis(world.features)
        difference = table[answers.comparisons.first] - table[answers.comparisons.second]
        p = (difference @ taste.parameters.weights).sigmoid()
        hessian = difference.T @ torch.diag(p * (1 - p)) @ difference + torch.eye(8, dtype=torch.float64)
        error = rounding(torch.float64, 1e3, float(hessian.abs().max()))
        assert torch.allclose(taste.covariance[-1] @ hessian, torch.eye(8, dtype=torch.float64), atol=error)
        traces.append(float(taste.covariance[-1].trace()))
    assert traces[1] < traces[0] / 2


def test_an_unsure_model_says_so() -> None:
    world = World(8)
    taste = learn(world.features, world.answers(world.labels(60)), Settings(ridge=1.0))
    margin = taste.margin(world.features[:100], world.features[100:200])
    sure = margin._replace(variance=torch.zeros_like(margin.variance))
    assert bool(((taste.preferred(margin) - 0.5).abs() <= (taste.preferred(sure) - 0.5).abs()).all())
    mirrored = taste.margin(world.features[100:200], world.features[:100])
    assert torch.allclose(taste.preferred(mirrored), 1 - taste.preferred(margin))
    cooler = taste.calibrated(3.0, float(taste.parameters.tie))
    assert bool(((cooler.preferred(margin) - 0.5).abs() <= (taste.preferred(margin) - 0.5).abs()).all())


def test_annotators_have_their_own_taste_around_a_common_one() -> None:
    world = World(9, scale=2.0)
    across = torch.zeros(8, dtype=torch.float64)
    across[:2] = torch.stack([-world.direction[1], world.direction[0]])
    ada, bea = world.direction + 2 * across, world.direction - 2 * across
    labels = world.labels(400, annotator="ada", direction=ada) + world.labels(400, annotator="bea", direction=bea)
    taste = learn(world.features, world.answers(labels), PLAIN)
    truth = {"ada": world.features @ ada, "bea": world.features @ bea}
    for annotator, other in (("ada", "bea"), ("bea", "ada")):
        reward = taste.reward(world.features, annotator)
        own, foreign = (np.corrcoef(reward, truth[name])[0, 1] for name in (annotator, other))
        assert own > 0.9 and own > foreign + 0.05
    common = taste.reward(world.features)
    assert torch.equal(common, taste.reward(world.features, "nobody"))
    assert np.corrcoef(common, world.features @ world.direction)[0, 1] > 0.9


def test_thumbs_and_lists_teach_as_pairs_do() -> None:
    world = World(10, scale=2.0)
    utility = (world.features @ world.direction).numpy()
    thumbs: list[Label] = []
    rankings: list[Label] = []
    bests: list[Label] = []
    for _ in range(300):
        i = int(world.rng.integers(800))
        up = bool(world.rng.random() < 1 / (1 + np.exp(-utility[i])))
        thumbs.append(answered((f"{i:05}",), Answer.thumb(up), prompt=world.prompts[i]))
        four = world.rng.choice(20, 4, replace=False) + 20 * (i // 20)
        felt = utility[four] + world.rng.gumbel(size=4)  # Plackett-Luce
        names = tuple(f"{number:05}" for number in four)
        ranks = tuple(int(rank) for rank in (-felt).argsort().argsort() + 1)
        rankings.append(answered(names, Answer("ranking", ranks), prompt=world.prompts[i]))
        bests.append(answered(names, Answer.best_worst(ranks.index(1), ranks.index(4), 4), prompt=world.prompts[i]))
    for labels in (thumbs, rankings, bests):
        taste = learn(world.features, world.answers(labels), PLAIN)
        assert cosine(reward_direction(taste), world.direction) > 0.9


def test_a_list_of_two_is_a_pair() -> None:
    world = World(11)
    pairs = [replace(label, order=()) for label in world.labels(80)]  # sides that are not known teach nothing of sides
    lists = [replace(label, answer=Answer("ranking", label.answer.ranks)) for label in pairs]
    as_pairs, as_lists = (learn(world.features, world.answers(labels), PLAIN) for labels in (pairs, lists))
    assert torch.allclose(as_pairs.parameters.weights, as_lists.parameters.weights, atol=1e-5)
    assert as_pairs.sides[0].value == 0


def test_confidence_weighs_and_what_must_not_teach_does_not() -> None:
    world = World(12)
    labels = world.labels(60)
    doubled = [replace(label, id=label.id + "d") for label in labels]
    twice = learn(world.features, world.answers(labels + doubled), PLAIN)
    halves = [replace(label, confidence=0.5) for label in labels + doubled]
    once = learn(world.features, world.answers(labels), PLAIN)
    assert torch.allclose(
        learn(world.features, world.answers(halves), PLAIN).parameters.weights, once.parameters.weights, atol=1e-5
    )
    assert not torch.allclose(twice.parameters.weights, once.parameters.weights, atol=1e-3)
    barred = [
        *(replace(label, purpose=purpose) for label in doubled for purpose in ("check", "repeat", "eval")),
        *(replace(label, is_blind=False) for label in doubled),
        *(replace(label, question="look") for label in doubled),
        *(replace(label, answer=Answer("pair")) for label in doubled),
        pair_label("unknown picture", "00001", "first"),
    ]
    assert world.answers(labels + barred).labels == tuple(labels)


def test_an_annotator_who_errs_is_told_from_one_who_does_not() -> None:
    world = World(13, scale=3.0)

    def careless(margin: float, rng: np.random.Generator) -> str:
        return bradley_terry(margin if rng.random() > 0.35 else -margin, rng)

    labels = world.labels(300, annotator="ada") + world.labels(300, careless, annotator="bea")
    settings = Settings("none", ridge=1.0, reliability=True)
    taste = learn(world.features, world.answers(labels), settings)
    ada, bea = taste.parameters.reliability.tolist()
    assert 0.5 <= bea < ada - 0.1 and ada > 0.85
    assert cosine(reward_direction(taste), world.direction) > 0.95
