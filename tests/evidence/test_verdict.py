"""Paired differences and verdicts, against numbers worked out by hand."""

import pytest
import torch

from studio.evidence.claim import MARGINS, Condition, Want
from studio.evidence.verdict import Difference, judge, overall, paired
from studio.metrics.intervals import bootstrap


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


@pytest.mark.parametrize(
    ("want", "margin", "low", "high", "verdict"),
    [
        ("higher", 0.02, 0.01, 0.2, "holds"),
        ("higher", 0.02, 0.0, 0.2, "inconclusive"),
        ("higher", 0.02, -0.01, 0.02, "inconclusive"),
        ("higher", 0.02, -0.01, 0.019, "does not hold"),
        ("higher", 0.02, 0.001, 0.019, "does not hold"),
        ("higher", 0.02, -0.2, -0.01, "does not hold"),
        ("lower", 0.02, -0.2, -0.01, "holds"),
        ("lower", 0.02, -0.2, 0.01, "inconclusive"),
        ("lower", 0.02, -0.01, 0.2, "does not hold"),
        ("no lower", 0.02, -0.01, 0.1, "holds"),
        ("no lower", 0.02, -0.02, 0.1, "inconclusive"),
        ("no lower", 0.02, -0.1, -0.03, "does not hold"),
        ("no higher", 0.02, -0.1, 0.01, "holds"),
        ("no higher", 0.02, 0.03, 0.1, "does not hold"),
        ("no higher", 0.02, 0.01, 0.03, "inconclusive"),
    ],
)
def test_verdict_by_where_the_interval_lies(want: Want, margin: float, low: float, high: float, verdict: str) -> None:
    condition = Condition("quality", "one", "other", want, margin)
    assert judge(condition, Difference((low + high) / 2, low, high)) == verdict


def test_the_margin_is_the_measures_unless_the_claim_says() -> None:
    assert Condition("quality", "one", "other", "higher").matters == 0.02
    assert Condition("saturation", "one", "other", "lower").matters == MARGINS["saturation"] == 0.006
    assert Condition("quality", "one", "other", "higher", 0.1).matters == 0.1


def test_all_conditions_have_to_hold() -> None:
    assert overall(["holds", "holds"]) == "holds"
    assert overall(["holds", "inconclusive"]) == "inconclusive"
    assert overall(["inconclusive", "does not hold", "holds"]) == "does not hold"
