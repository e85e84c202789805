"""What stands out in an annotator's labels, and what does not."""

from __future__ import annotations

import math
from dataclasses import replace
from math import comb

import pytest

from studio.preference.answer import Answer
from studio.preference.label import Label
from studio.preference.quality import Quality, at_least, report, shared_agreement, two_sided
from studio.preference.tallies import Share
from tests.preference.labels import answered, pair_label

FIRST = Answer.pair("first")


def quality_of(labels: list[Label], checks: dict[int, Answer] | None = None) -> Quality:
    (quality,) = report(labels, checks)
    return quality


def flags(quality: Quality) -> list[str]:
    return [flag.name for flag in quality.flags]


def careful(n: int = 30, annotator: str = "ada", ties: int = 6) -> list[Label]:
    """Somebody who prefers the picture of the smaller number, wherever it stands, and ties now and then."""
    return [
        pair_label(
            f"{i:03}",
            f"{i + 1:03}",
            "tie" if i < ties else "first",
            order=(0, 1) if i % 2 else (1, 0),
            annotator=annotator,
            prompt=f"prompt {i}",
        )
        for i in range(n)
    ]


def test_tails_are_those_of_the_binomial() -> None:
    for n, hits in ((10, 8), (30, 15), (7, 0)):
        exact = sum(comb(n, k) for k in range(hits, n + 1)) / 2**n
        assert at_least(hits, n, 0.5) == pytest.approx(exact)
    assert two_sided(8, 10) == two_sided(2, 10) == pytest.approx(0.109375)
    assert two_sided(5, 10) == 1.0


def test_a_careful_annotator_has_no_flag() -> None:
    quality = quality_of(careful())
    assert quality.flags == () and quality.left == Share(12, 24) and quality.ties == Share(6, 30)
    assert quality.median_ms == 1500 and quality.longest_run == 1


def test_a_side_is_counted_on_the_screen_and_not_in_the_item() -> None:
    always_left = [
        pair_label(f"{i}", "x", "second" if i % 2 else "first", order=(1, 0) if i % 2 else (0, 1)) for i in range(12)
    ]
    quality = quality_of(always_left)
    assert quality.left == Share(12, 12) and quality.longest_run == 12
    assert flags(quality) == ["side bias", "one side in a row"]
    assert "left picture 12 of 12" in quality.flags[0].sentence and quality.flags[0].n == 12
    unknown = quality_of([replace(label, order=()) for label in always_left])
    assert unknown.left == Share() and math.isnan(unknown.side_p) and unknown.flags == ()


def test_repeats_are_compared_with_sides_undone() -> None:
    asked = [pair_label(f"{i}", "x", "first", prompt=f"p{i}") for i in range(10)]
    swapped = [
        pair_label("x", f"{i}", "second" if i < 4 else "first", prompt=f"p{i}", purpose="repeat", order=(1, 0))
        for i in range(10)
    ]
    quality = quality_of(asked + swapped)
    assert quality.consistent == Share(4, 10)
    assert "4 of 10 repeated" in next(flag.sentence for flag in quality.flags if flag.name == "repeats")
    alone = pair_label("x", "unseen", "first", purpose="repeat")
    assert quality_of([alone]).consistent == Share()


def test_checks_are_failed_by_the_wrong_picture_and_by_a_tie() -> None:
    outcomes = ("first", "second", "tie", "skip")
    labels = [pair_label("good", "noise", o, purpose="check", item=k + 1) for k, o in enumerate(outcomes)]
    quality = quality_of(labels, dict.fromkeys(range(1, 5), FIRST))
    assert quality.failed == Share(2, 3) and flags(quality) == ["checks"]
    assert quality_of(labels).failed == Share()  # nobody knows what would have been right
    one = [pair_label("good", "noise", "second", purpose="check", item=9)]
    assert quality_of(one, {9: FIRST}).flags == ()  # which happens to anybody


def test_speed_and_a_run_on_one_side() -> None:
    fast = [replace(label, latency_ms=120.0) for label in careful()]
    assert flags(quality_of(fast)) == ["speed"]
    nine = [pair_label(f"{i}", "x", "first", order=(1, 0)) for i in range(9)]
    others = [pair_label(f"{i + 20}", "x", "first", order=(0, 1)) for i in range(7)]
    assert flags(quality_of(nine + others)) == ["one side in a row"]
    broken = [*nine[:5], pair_label("t", "u", "tie"), *nine[5:], *others]
    renumbered = [replace(label, answered_at=others[0].answered_at) for label in broken]
    assert quality_of(renumbered).longest_run == 7


def test_a_tie_rate_is_held_against_that_of_others() -> None:
    crowd = [label for name in ("bea", "cleo", "dan") for label in careful(annotator=name)]
    qualities = {quality.annotator: quality for quality in report(crowd + careful(annotator="ada", ties=28))}
    assert flags(qualities["ada"]) == ["ties"] and "28 of 30" in qualities["ada"].flags[0].sentence
    assert all(not quality.flags for name, quality in qualities.items() if name != "ada")
    assert quality_of(careful(ties=28)).flags == ()  # there is nobody to compare with


def test_cycles_are_counted_of_sets_of_three() -> None:
    circle = [pair_label(*pair, "first") for pair in (("a", "b"), ("b", "c"), ("c", "a"))]
    assert quality_of(circle).cycles == Share(1, 1)
    elsewhere = [replace(circle[2], prompt="another")]
    assert quality_of(circle[:2] + elsewhere).cycles == Share(0, 0)
    ranked = answered(("a", "b", "c", "d"), Answer("ranking", (1, 2, 3, 4)))
    assert quality_of([ranked]).cycles == Share(0, 4)
    two = circle + [pair_label(*pair, "first", prompt="p") for pair in (("a", "b"), ("b", "c"), ("c", "a"))]
    assert flags(quality_of(two)) == ["cycles"]


def test_what_was_taken_back_does_not_count() -> None:
    label = pair_label("a", "b", "first")
    undone = replace(label, id="undo", supersedes=label.id, is_withdrawn=True)
    assert report([label, undone]) == []
    changed = replace(label, id="changed", supersedes=label.id, answer=Answer.pair("tie"))
    assert quality_of([label, changed]).ties == Share(1, 1)


def test_agreement_is_of_pairs_that_several_answered() -> None:
    def answers(annotator: str, swap: bool) -> list[Label]:
        return [
            pair_label("b", "a", "second", annotator=annotator, prompt=f"p{i}", order=(1, 0))
            if swap
            else pair_label("a", "b", "first" if i % 3 else "tie", annotator=annotator, prompt=f"p{i}")
            for i in range(9)
        ]

    both = answers("ada", False) + answers("bea", False)
    assert shared_agreement(both).alpha.value == 1 and shared_agreement(both).alpha.n == 9
    mixed = shared_agreement(answers("ada", False) + answers("bea", True))  # a above b in all, ties in three of ada's
    assert mixed.alpha.value < 1 and mixed.alpha.n == 9
    (pair,) = mixed.pairs
    assert pair.annotators == ("ada", "bea") and pair.kappa.n == 9
    assert pair.kappa.value == pytest.approx(0)  # bea says one thing always: six of nine is what chance gives her
    assert mixed.answers == 0 and math.isnan(mixed.fleiss.value)
    alone = shared_agreement(answers("ada", False))
    assert math.isnan(alone.alpha.value) and not alone.pairs
    assert shared_agreement([]).pairs == () and math.isnan(shared_agreement([]).fleiss.value)
    again = [replace(label, id=label.id + "r", purpose="repeat") for label in both[:9]]
    assert shared_agreement(both + again) == shared_agreement(both)


def test_three_who_answer_alike_but_for_one_item_have_fleiss_kappa_of_what_all_three_answered() -> None:
    said = {"ada": "first first second second", "bea": "first first second second", "cyd": "first second second second"}
    labels = [
        pair_label("a", "b", outcome, annotator=name, prompt=f"p{number}")  # type: ignore[arg-type]
        for name, outcomes in said.items()
        for number, outcome in enumerate(outcomes.split())
    ]
    labels += [pair_label("a", "b", "tie", annotator=name, prompt="two") for name in ("ada", "bea")]
    agreement = shared_agreement(labels)
    # Per item 1, 1/3, 1, 1 of the pairs of answers agree; 5 of 12 answers are "first", 7 "second".
    observed, chance = (1 + 1 / 3 + 1 + 1) / 4, (5 / 12) ** 2 + (7 / 12) ** 2
    assert agreement.answers == 3 and agreement.fleiss.n == 4
    assert agreement.fleiss.value == pytest.approx((observed - chance) / (1 - chance))
    kappas = {pair.annotators: (pair.kappa.value, pair.kappa.n) for pair in agreement.pairs}
    assert kappas["ada", "bea"] == (1, 5) and kappas["ada", "cyd"] == (pytest.approx(0.5), 4)
