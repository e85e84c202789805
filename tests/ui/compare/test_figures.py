"""What is known of a comparison in words: no number without its n, and nothing told that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.metrics.contrasts import Contrast, Estimate
from studio.services.comparisons.facts import NAMED, CellFacts, ComparisonFacts, RowFacts
from studio.ui.compare import figures

ACCURACY, NFE = NAMED["accuracy"], NAMED["nfe"]
APART = Contrast(-0.25, -0.5, -0.1, 8, 0, 6, 2, 0.03, 0.03, 0)


def test_beneath_a_picture_stands_what_it_shows_misses_and_costs() -> None:
    values = {"accuracy": 0.75, "broken": 0.0, "saturation": 0.2512, "nfe": 40.0, "seconds": 0.66}
    facts = CellFacts(values, ("red", "star", "neon", "meadow"), ("neon",), 8.04, False)
    listed, note = figures.of_cell(facts)
    assert listed == (
        ("accuracy", "3 of 4"), ("saturation", "0.25"), ("NFE", "40"), ("time", "0.66 s"), ("differs by", "8.0 of 255"),
    )  # fmt: skip
    assert note == "Missed: neon."
    assert "differs by" not in dict(figures.of_cell(facts, is_reference=True)[0])
    assert figures.of_cell(replace(facts, values={**values, "broken": 1.0}))[1].startswith("Broken")
    by_clip = replace(facts, values={"score": 0.8, "nfe": 40.0})
    assert figures.of_cell(by_clip) == (
        (("CLIP", "0.80"), ("NFE", "40"), ("differs by", "8.0 of 255")),
        "Perhaps missed: neon.",
    )
    early = replace(facts, missed=(), unfinished={"mine": 40})
    assert figures.of_cell(early)[1] == "Drawn when mine had 40 steps."
    assert figures.of_cell(None)[1] == ""


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        (APART, "−25% (−50% to −10%), p = .030"),
        (replace(APART, adjusted_p=0.0002), "−25% (−50% to −10%), p < .001"),
        (
            replace(APART, adjusted_p=0.2, more=1),
            "−25% (−50% to −10%), not distinguishable; about 1 more seed may tell",
        ),
        (replace(APART, adjusted_p=0.2, more=None), "−25% (−50% to −10%), not distinguishable"),
        (Contrast(0.5, None, None, 2, 1, 0, 1, 1.0, 1.0, 9), "+50%; too few seeds to tell"),
        (Contrast(0.0, -1.0, 1.0, 3, 0, 0, 3, 1.0, 1.0, None), "no difference"),
    ],
)
def test_a_difference_is_told_only_where_the_test_tells_it(contrast: Contrast, words: str) -> None:
    assert figures.verdict(contrast, ACCURACY, "seeds") == words


def test_the_table_has_each_row_with_n_and_colours_what_is_told_to_be_better_or_worse() -> None:
    estimates = {"accuracy": Estimate(0.9, 0.7, 1.0, 8), "nfe": Estimate(40.0, 40.0, 40.0, 8)}
    plain = RowFacts("a", 8, estimates, {}, {})
    worse = RowFacts(
        "b",
        8,
        estimates,
        {"accuracy": APART},
        {"neon": 3},
        Estimate(0.2, None, None, 1),
        Estimate(2.1, None, None, 1),
        8,
        "oracle",
    )
    cell = CellFacts({"accuracy": 0.9, "nfe": 40.0})
    facts = ComparisonFacts(((cell,), (cell,)), (plain, worse), "seeds", 0)
    html = figures.statistics_html(facts, ["<a>", "b"], 0)
    assert "&lt;a&gt;" in html and html.count("70% to 100%, n = 8") == 2 and "40 to 40" not in html
    assert (
        'class="verdict bad"' in html
        and "missed: neon (3)" in html
        and "by oracle; 2.1 of them really different" in html
    )
    assert figures.of_row(plain, "seeds", facts.measures) == "Prompt accuracy: 90% (70% to 100%), n = 8 seeds"
    assert figures.statistics_html(ComparisonFacts((), (), "seeds", 0), [], 0) == figures.NOTHING
