"""Verdicts, against numbers worked out by hand."""

import pytest

from studio.evidence.claim import MARGINS, Condition, Want
from studio.evidence.verdict import judge, overall
from studio.metrics.intervals import Difference


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
