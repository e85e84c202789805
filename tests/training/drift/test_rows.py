"""Rows of divergences: means with intervals, FADE as the sum of both directions, reasons where there is no number."""

import pytest

from studio.training.drift.request import Pair
from studio.training.drift.rows import NO_EFFECT, NO_FLOOR, NO_GOLD, UNFINISHED, Measured, directions, rows

RETAIN = Pair(p="base", q="edit", prompts="retain")
NOTHING = Pair(p="base", q="edit", prompts="unconditional")
EDIT_GOLD, GOLD_EDIT, BASE_GOLD, GOLD_BASE = (
    Pair(p=p, q=q, prompts="forget")
    for p, q in (("edit", "gold"), ("gold", "edit"), ("base", "gold"), ("gold", "base"))
)


def measured(*nats: float) -> Measured:
    return Measured(nats, 192)


def test_fade_is_the_sum_of_both_directions_beside_the_bases() -> None:
    values = dict(
        [
            (RETAIN, measured(0.1, 0.3)),
            (NOTHING, measured(0.0, 0.0)),
            (EDIT_GOLD, measured(1.0, 2.0)),
            (GOLD_EDIT, measured(3.0, 4.0)),
            (BASE_GOLD, measured(1.0, 1.0)),
            (GOLD_BASE, measured(1.0, 1.0)),
        ]
    )
    answer = rows(values, list(values))
    assert answer["drift_retain"].value == pytest.approx(0.2) and answer["drift_retain"].unit == "mean"
    assert (answer["drift_unconditional"].n, answer["drift_unconditional"].value) == (2, 0.0)
    assert (answer["fade_edit"].value, answer["fade_base"].value) == (5.0, 2.0)
    assert (answer["fade"].value, answer["fade"].unit, answer["fade"].n) == (2.5, "ratio", 2)
    assert answer["fade"].low == pytest.approx(2.0) and answer["fade"].high == pytest.approx(3.0)
    assert (answer["fade_floor"].n, answer["fade_floor"].why) == (0, NO_FLOOR)
    assert directions(values)["forget: gold to edit"].value == 3.5


def test_what_was_not_measured_says_why() -> None:
    assert rows({}, [RETAIN])["fade"].why == NO_GOLD
    pairs = [RETAIN, EDIT_GOLD, GOLD_EDIT, BASE_GOLD, GOLD_BASE]
    assert rows(dict([(EDIT_GOLD, measured(1.0))]), pairs)["fade_edit"].why == UNFINISHED
    same = {pair: measured(0.0, 0.0) for pair in pairs}
    assert rows(same, pairs)["fade"].why == NO_EFFECT


def test_a_line_comes_back_as_it_was() -> None:
    values = measured(0.1, 2e-17, 300.0)
    assert Measured.read(values.line()) == values
    for damaged in (b"", b"{}", b'{"nats": [null], "dims": 1}', b'{"nats": 3, "dims": 1}'):
        with pytest.raises((ValueError, KeyError, TypeError)):
            Measured.read(damaged)
