"""Intervals: published values, their limits, and the coverage they promise."""

from __future__ import annotations

import pytest
import torch

from studio.metrics.intervals import Interval, bootstrap, crossed, paired, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statist. Med. 17 (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_published_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_mirrors_and_stays_inside() -> None:
    for n in (1, 7, 600):
        for hits in {0, 1, n // 2, n}:
            low, high = wilson(hits, n)
            assert 0 <= low <= hits / n <= high <= 1
            assert wilson(n - hits, n) == pytest.approx((1 - high, 1 - low))
    assert wilson(0, 0) == Interval(0.0, 1.0)


def test_wilson_narrows_with_more_trials_and_less_confidence() -> None:
    def width(interval: Interval) -> float:
        return interval.high - interval.low

    assert width(wilson(90, 100)) > width(wilson(900, 1000))
    assert width(wilson(90, 100)) > width(wilson(90, 100, confidence=0.8))


@pytest.mark.parametrize(("hits", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_wilson_refuses(hits: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError):
        wilson(hits, n, confidence)


def test_wilson_covers_the_truth() -> None:
    torch.manual_seed(0)
    hits = (torch.rand(2000, 50) < 0.9).sum(1).tolist()
    covered = sum(interval.low <= 0.9 <= interval.high for interval in (wilson(h, 50) for h in hits)) / 2000
    assert 0.93 <= covered <= 0.98


def test_bootstrap_repeats_itself_and_follows_its_seed() -> None:
    values = torch.randn(50, generator=torch.Generator().manual_seed(1))
    before = torch.get_rng_state()
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values)
    assert torch.equal(torch.get_rng_state(), before)


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    half = 1.96 * float(values.std()) / 20
    low, high = bootstrap(values, resamples=8000)
    assert low == pytest.approx(float(values.mean()) - half, abs=0.008)
    assert high == pytest.approx(float(values.mean()) + half, abs=0.008)


def test_bootstrap_keeps_pairs_together() -> None:
    base = torch.rand(64, generator=torch.Generator().manual_seed(3)) + 0.1
    pairs = torch.stack([3 * base, base], 1)
    assert bootstrap(pairs, lambda means: means[:, 0] / means[:, 1]) == pytest.approx((3, 3))
    assert bootstrap(pairs, lambda means: means[:, 0] - 3 * means[:, 1]) == pytest.approx((0, 0), abs=1e-6)


def test_bootstrap_of_equal_values_is_a_point() -> None:
    assert bootstrap(torch.full((10,), 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize("values", [torch.zeros(0), torch.tensor([1.0, float("nan")])])
def test_bootstrap_refuses(values: torch.Tensor) -> None:
    with pytest.raises(ValueError):
        bootstrap(values)


# -- paired ---------------------------------------------------------------------------------------------------------


def test_the_difference_is_of_each_prompt_with_itself() -> None:
    arm = torch.tensor([0.9, 0.1, 0.5, 0.7])
    against = arm - 0.25  # constant on every prompt, whatever the prompts' own spread
    assert paired(arm, against) == pytest.approx((0.25, 0.25, 0.25), abs=1e-6)
    unpaired = bootstrap(arm)  # the spread that pairing takes out
    assert unpaired.high - unpaired.low > 0.3


def test_where_no_prompt_differs_the_rule_of_three_says_how_sure_that_is() -> None:
    arm = torch.rand(60, generator=torch.Generator().manual_seed(1))
    assert paired(arm, arm) == pytest.approx((0.0, -0.05, 0.05))
    # A prompt in twenty differs: sixty of them all miss it with probability 0.95^60, which is one time in twenty.
    assert 0.95**60 == pytest.approx(0.05, abs=0.005)


def test_the_interval_is_that_of_the_bootstrap_over_prompts() -> None:
    arm, against = torch.tensor([1.0, 1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    found = paired(arm, against)
    assert found.mean == 0.25 and (found.low, found.high) == bootstrap(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    # Of four draws, none hits the one prompt that differs in (3/4)^4 = 32 %; three or four hits are 5 %.
    assert found.low == 0.0 and found.high == 0.75
    assert paired(arm, against) == found  # seeded


@pytest.mark.parametrize("against", [torch.zeros(3), torch.zeros(4, 1)])
def test_arms_of_other_prompts_are_refused(against: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one value per prompt"):
        paired(torch.zeros(4), against)


def test_of_one_training_the_crossed_bootstrap_is_that_over_prompts() -> None:
    values = torch.randn(40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    low, high = crossed(values[None])
    assert (low, high) == pytest.approx(tuple(bootstrap(values)), abs=0.1) and crossed(values[None]) == crossed(
        values[None]
    )
    ratio = crossed(torch.stack([2 * values.exp(), values.exp()], 1)[None], lambda means: means[:, 0] / means[:, 1])
    assert ratio == pytest.approx((2, 2))


def test_what_trainings_come_to_by_chance_is_in_the_crossed_interval() -> None:
    """Every prompt alike within a training: over prompts alone the interval would be a point."""
    values = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)[:, None].expand(3, 20)
    assert bootstrap(values.mean(0)) == pytest.approx((0.5, 0.5))
    assert crossed(values) == pytest.approx((0.0, 1.0), abs=0.17) and crossed(values).low < 0.2
    for wrong in (torch.zeros(0, 3), torch.full((1, 2), float("nan"))):
        with pytest.raises(ValueError, match="only numbers"):
            crossed(wrong)


def test_the_crossed_interval_covers_the_truth_nearly_as_often_as_it_says() -> None:
    generator = torch.Generator().manual_seed(3)

    def drawn(trainings: int, prompts: int) -> torch.Tensor:
        effects = torch.randn(trainings, 1, generator=generator) + torch.randn(1, prompts, generator=generator)
        return (effects + torch.randn(trainings, prompts, generator=generator)).double()

    covered = 0
    for _ in range(200):
        low, high = crossed(drawn(12, 30), resamples=400)
        covered += low <= 0 <= high
    assert covered / 200 > 0.85
