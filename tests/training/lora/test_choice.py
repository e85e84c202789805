"""Which state is kept: by its pictures, within bounds, and the other end of the trade-off is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from studio.training.lora.choice import Sight, choose, excess, in_words
from studio.training.lora.policies import JudgedPlan

PLAN = JudgedPlan(prompts=("a star",), every=10, more_broken=0.05, least_diversity=0.8)
BASE = 0.1  # of the base's pictures are broken


def sight(step: int, won: float, broken: float = BASE, **values: Any) -> Sight:
    values = {"strength": 1.0, "diversity": 1.0, "change": 10.0, **values}
    return Sight(step=step, won=won, broken=broken, **values)


def test_the_state_that_is_preferred_most_within_the_bounds_is_kept_and_the_furthest_is_told() -> None:
    early, late = sight(40, 0.66), sight(100, 0.74, broken=0.31)
    weaker = sight(100, 0.70, broken=0.15, strength=0.7)
    alike = sight(80, 0.9, diversity=0.5)
    assert choose([early, late], BASE, PLAN).best == early
    chosen = choose([early, late, weaker], BASE, PLAN)
    assert (chosen.best, chosen.furthest, chosen.is_within) == (weaker, late, True)
    words = in_words(chosen, BASE, 24)
    assert words.startswith(
        "Kept step 100 at 0.7 of its strength: preferred to the base in 70% by the taste model, 15%"
    )
    assert "It can go further, step 100: preferred to the base in 74%" in words and "strength of 1.4" in words
    assert choose([early, alike], BASE, PLAN).best == early, "what draws one picture over and over is not kept"
    assert "strength of" not in in_words(choose([early, late], BASE, PLAN), BASE, 24)


def test_the_order_of_the_steps_and_what_the_loss_says_of_itself_decide_nothing() -> None:
    best = sight(20, 0.7)
    assert choose([sight(100, 0.6), best, sight(60, 0.65)], BASE, PLAN).best == best
    assert not {"margin", "loss", "accuracy"} & {name for name in vars(best)}


def test_where_all_break_pictures_the_least_harmful_is_kept_and_that_is_said() -> None:
    chosen = choose([sight(20, 0.7, broken=0.3), sight(40, 0.8, broken=0.6)], BASE, PLAN)
    assert (chosen.best.step, chosen.is_within) == (20, False)
    assert "breaks more pictures or is less diverse than it may be" in in_words(chosen, BASE, 24)
    assert excess(sight(1, 0.5, broken=0.15), BASE, PLAN) == pytest.approx(0)


def test_what_changes_nothing_says_so() -> None:
    chosen = choose([sight(20, 0.5, change=0.2), sight(40, 0.5, change=0.6)], BASE, PLAN)
    assert in_words(chosen, BASE, 24).startswith("No effect: the 24 held-out pictures are as they were")


def test_of_a_model_that_nothing_can_be_read_of_the_last_is_kept() -> None:
    unread = [Sight(step, 1.0, math.nan, math.nan, math.nan, 12.0) for step in (20, 40)]
    chosen = choose(unread, math.nan, PLAN)
    assert chosen.best == chosen.furthest == unread[1]
    assert in_words(chosen, math.nan, 8) == "Kept step 40: pictures differ by 12 of 255, over 8 held-out pictures."
    assert unread[0].plain() == {"step": 20, "strength": 1.0, "change": 12.0}
    assert Sight.of(sight(3, 0.5).row()) == sight(3, 0.5)
