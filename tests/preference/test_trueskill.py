"""TrueSkill: the reference values, and far from what was expected."""

from __future__ import annotations

import math

import pytest

from studio.preference.ratings import Game
from studio.preference.trueskill import Skill, TrueSkill

WIN, DRAW, LOSS = 1.0, 0.5, 0.0


def test_trueskill_has_its_reference_values() -> None:
    won, lost = TrueSkill().update(Skill(), Skill(), WIN)
    assert won == pytest.approx((29.396, 7.171), abs=5e-4) and lost == pytest.approx((20.604, 7.171), abs=5e-4)
    for skill in TrueSkill().update(Skill(), Skill(), DRAW):
        assert skill == pytest.approx((25.0, 6.458), abs=5e-4)
    assert TrueSkill().update(Skill(), Skill(), LOSS) == (lost, won)
    assert TrueSkill().rate([Game(1, 0, WIN)], 2) == [lost, won]


def test_trueskill_stays_finite_far_from_what_was_expected() -> None:
    strong, weak = Skill(500.0, 1.0), Skill(0.0, 1.0)
    for score in (WIN, DRAW, LOSS):
        for skill in TrueSkill().update(strong, weak, score):
            assert math.isfinite(skill.mean) and 0 < skill.sd < 2
    upset = TrueSkill().update(strong, weak, LOSS)
    assert upset[0].mean < 500 and upset[1].mean > 0


def test_a_score_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError):
        TrueSkill().update(Skill(), Skill(), 0.3)
