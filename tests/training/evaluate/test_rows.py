"""Rows of a report as pure functions of results, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.metrics.intervals import bootstrap, wilson
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts, Result
from studio.training.evaluate.rows import (
    DRAWN_ONCE,
    NO_RESULTS,
    NOT_STATED,
    ReportRow,
    against,
    difference_of,
    invalid,
    mean_of,
    report,
    share_of,
    share_row,
    tone,
)
from studio.world.reading import Reading, SeenThing, Wanted

RED_STAR = Wanted((("star", "red"),), "flat")
UNREAD = "There is no oracle for this model."


def result(
    prompt: str,
    seed: int,
    object: str = "star",
    *,
    broken: bool = False,
    contrast: float = 0.0,
    read: bool = True,
    features: tuple[float, ...] | None = None,
) -> Result:
    reading = Reading((SeenThing(object, "red"),), "one", "flat", "white", "medium", "center", broken, float(broken))
    tones = {"saturation": 0.5, "contrast": contrast, "clipped": 0.0}
    array = None if features is None else np.array(features, np.float32)
    facts = Facts(f"{object}{broken}{contrast}", tones, reading if read else None, array)
    return Result(Case(prompt, seed, RED_STAR), facts)


def named(rows: list[ReportRow], name: str) -> ReportRow:
    (row,) = [row for row in rows if row.name == name]
    return row


def test_a_report_counts_what_was_stated_and_nothing_else() -> None:
    results = [result("a", 1), result("a", 2, "fish"), result("b", 1, broken=True), result("b", 2)]
    rows = report("base", results)
    assert [row.name for row in rows] == [
        "as stated",
        "object",
        "colour",
        "bound",
        "style",
        "invalid",
        "saturation",
        "contrast",
        "clipped",
        "diversity",
    ]
    assert {row.name: (row.hits, row.n) for row in rows[:6]} == {
        "as stated": (2, 4),
        "object": (3, 4),
        "colour": (4, 4),
        "bound": (3, 4),
        "style": (4, 4),
        "invalid": (1, 4),
    }
    shares = named(rows, "as stated")
    assert (shares.value, (shares.low, shares.high)) == (0.5, wilson(2, 4))
    assert (named(rows, "saturation").n, named(rows, "saturation").value) == (2, 0.5), "prompts are independent"
    assert all(row.n > 0 and not row.why for row in rows[:-1])


def test_diversity_is_between_the_seeds_of_one_prompt() -> None:
    """Unit vectors at right angles are 1 apart, equal ones 0; a prompt that was drawn once tells nothing."""
    x, y = (1.0, 0.0), (0.0, 1.0)
    base = [result("a", 1, features=x), result("a", 2, features=y), result("b", 1, features=x)]
    edited = [result("a", 1, features=x), result("a", 2, features=x), result("a", 3, features=y)]
    row = named(report("base", base), "diversity")
    assert (row.n, row.value, row.unit) == (1, pytest.approx(1.0), "mean")
    assert named(report("edited", edited), "diversity").value == pytest.approx(2 / 3)
    difference = named(against("edited", edited, base), "diversity")  # of seeds 1 and 2, which both have
    assert (difference.n, difference.value, difference.unit) == (1, pytest.approx(-1.0), "difference")
    for rows in (report("base", base[2:]), against("base", base[2:], base)):
        assert (named(rows, "diversity").n, named(rows, "diversity").why) == (0, DRAWN_ONCE)


def test_a_mean_is_over_prompts_whatever_their_seeds() -> None:
    results = [result("a", seed, contrast=0.2) for seed in range(3)] + [result("b", 1, contrast=0.4)]
    row = mean_of("base", "contrast", results, tone("contrast"))
    assert (row.n, row.value) == (2, pytest.approx(0.3)) and row.as_json()["unit"] == "mean"
    assert (row.low, row.high) == pytest.approx(bootstrap(torch.tensor([0.2, 0.4])), abs=1e-6)


def test_differences_are_paired_by_prompt_and_seed() -> None:
    base = [result("a", 1, "fish"), result("a", 2, "fish"), result("b", 1), result("c", 1, "fish")]
    edited = [result("c", 1), result("b", 1), result("a", 2), result("a", 1, "fish"), result("d", 9)]
    row = difference_of("edited", "object", edited, base, lambda each: each.matches.get("object"))
    # Of a one seed of two is gained, b stays, c is gained; d has no partner.
    assert (row.n, row.value) == (3, pytest.approx(0.5)) and row.unit == "difference"
    assert (row.low, row.high) == pytest.approx(bootstrap(torch.tensor([1.0, 0.0, 0.5])))
    turned = difference_of("base", "object", base, edited, lambda each: each.matches.get("object"))
    assert turned.value == pytest.approx(-0.5)


def test_against_itself_nothing_differs_and_the_interval_says_how_sure_that_is() -> None:
    base = [result(prompt, 1) for prompt in "abcdefghij"]
    rows = against("again", base, base)
    assert named(rows, "changed").value == 0 and named(rows, "changed").n == 10
    assert {(row.value, row.low, row.high) for row in rows[1:-1]} == {(0.0, -0.3, 0.3)}
    other = [result(prompt, 1, contrast=0.1) for prompt in "abcdefghij"]
    assert named(against("other", other, base), "changed").value == 1


@pytest.mark.parametrize(
    ("results", "why", "told"), [([], "", NO_RESULTS), ([result("a", 1, read=False)], UNREAD, UNREAD)]
)
def test_what_cannot_be_measured_says_why_and_gives_no_number(results: list[Result], why: str, told: str) -> None:
    for rows in (report("base", results, why), against("edited", results, results, why)):
        for row in rows:
            assert (row.n == 0) == bool(row.why) and row.passed is None
            assert row.n > 0 or (row.why == told and row.low < row.high)
    if results:  # tones need nobody to read them
        assert named(report("base", results, why), "saturation").n == 1
        assert share_of("base", "invalid", results, invalid, why).why == UNREAD


def test_what_no_prompt_states_says_so() -> None:
    row = share_of("base", "relation", [result("a", 1)], lambda each: each.matches.get("relation"))
    assert (row.n, row.why) == (0, NOT_STATED) and row.as_json()["why"] == NOT_STATED


def test_a_row_of_a_gate_is_written_as_it_always_was() -> None:
    assert share_row("g", "n", [True, False], 0.4).as_json() == {
        "group": "g",
        "name": "n",
        "n": 2,
        "value": 0.5,
        "low": wilson(1, 2).low,
        "high": wilson(1, 2).high,
        "hits": 1,
        "gate": 0.4,
        "at_most": False,
        "passed": True,
    }
