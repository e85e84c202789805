"""What is known of a comparison, in words and numbers: beneath a picture, beside a row, and as a table of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.services.comparisons.facts import CellFacts, ComparisonFacts, Measure, RowFacts
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.metrics.contrasts import Contrast, Estimate

MAIN = ("accuracy", "score", "saturation")  # of which the first that is known stands beside a row
LEAST_TOLD = 6  # units below which the exact test can say nothing at 5 %
NOTHING = tag(
    "p",
    "Nothing is measured yet: draw some pictures. With Stencil, what each shows is then read and counted.",
    class_="hint",
)


# -- of a picture ---------------------------------------------------------------------------------------------------


def of_cell(facts: CellFacts | None, is_reference: bool = False) -> tuple[tuple[tuple[str, str], ...], str]:
    """(name, value) beneath a picture, and what it misses, a sentence; without facts, the room for them."""
    if facts is None:
        return (("NFE", "–"),), ""
    values, listed = facts.values, list[tuple[str, str]]()
    if facts.asked and "accuracy" in values:
        shown_count = len(facts.asked) - len(facts.missed)
        listed.append(("accuracy", f"{shown_count} of {len(facts.asked)}"))
    if "score" in values:
        listed.append(("CLIP", f"{values['score']:.2f}"))
    listed += [(label, form.format(values[name])) for name, label, form in _CELL if name in values]
    if facts.from_reference is not None and not is_reference:
        listed.append(("differs by", f"{facts.from_reference:.1f} of 255"))
    note = ""
    if values.get("broken"):
        note = "Broken: not recognised as a picture of Stencil's world."
    elif facts.missed:  # what a CLIP misses is a hint
        note = f"{'Missed' if 'accuracy' in values else 'Perhaps missed'}: {', '.join(facts.missed)}."
    early = [f"{edit} had {steps} steps" for edit, steps in facts.unfinished.items()]
    if early:  # it is what the training was then, and may not be what it is now
        note = f"{note} Drawn when {', '.join(early)}.".strip()
    return tuple(listed), note


_CELL = (("saturation", "saturation", "{:.2f}"), ("nfe", "NFE", "{:.0f}"), ("seconds", "time", "{:.2f} s"))


# -- of a row -------------------------------------------------------------------------------------------------------


def of_row(facts: RowFacts, unit: str, measures: Sequence[Measure]) -> str:
    """The main number of a row with its interval and n, in a line; "" where nothing is known."""
    by_name = {measure.name: measure for measure in measures}
    for name in MAIN:
        if name in facts.estimates and name in by_name:
            return f"{by_name[name].label}: {_with_interval(facts.estimates[name], by_name[name], unit)}"
    return ""


def _with_interval(estimate: Estimate, measure: Measure, unit: str) -> str:
    words = _number(estimate.mean, measure)
    if estimate.low is not None and estimate.high is not None:
        words += f" ({_number(estimate.low, measure)} to {_number(estimate.high, measure)})"
    return f"{words}, n = {estimate.n} {_units(unit, estimate.n)}"


# -- of all rows ----------------------------------------------------------------------------------------------------


def statistics_html(facts: ComparisonFacts, names: Sequence[str], reference: int) -> str:
    """A table: a row each, a column for each measure, with intervals, and how each row differs from the reference."""
    measures = facts.measures
    if not measures:
        return NOTHING
    head = "".join(tag("th", text(measure.label), scope="col", title=measure.about) for measure in measures)
    has_diversity = any(row.diversity for row in facts.rows)
    if has_diversity:
        about = "1 - cosine of features between the seeds of a prompt, mean over prompts."
        head += tag("th", "Diversity", scope="col", title=about)
    rows = "".join(
        _row(row, name, place == reference, measures, facts.unit, has_diversity)
        for place, (row, name) in enumerate(zip(facts.rows, names, strict=True))
    )
    table = tag("table", tag("thead", tag("tr", tag("th", "Row", scope="col") + head)) + tag("tbody", rows))
    scrolls = tag("div", table, class_="figures", tabindex="0", role="group", aria_label="Statistics of each row")
    return scrolls + tag("p", text(_legend(facts)), class_="hint")


def _row(
    facts: RowFacts, name: str, is_reference: bool, measures: Sequence[Measure], unit: str, has_diversity: bool
) -> str:
    badge = tag("span", "reference", class_="badge") if is_reference else ""
    count = tag("span", text(f"{facts.pictures} picture{'s' * (facts.pictures != 1)}"), class_="about")
    missed = ", ".join(f"{word} ({count})" for word, count in list(facts.missed.items())[:4])
    words = tag("span", text(f"missed: {missed}"), class_="about") if missed else ""
    cells = "".join(_cell(facts, measure, unit) for measure in measures)
    if has_diversity:
        cells += tag("td", _diversity(facts))
    return tag("tr", tag("th", text(name) + badge + count + words, scope="row") + cells)


def _cell(facts: RowFacts, measure: Measure, unit: str) -> str:
    estimate = facts.estimates.get(measure.name)
    if estimate is None:
        return tag("td", "–")
    inner = tag("b", _number(estimate.mean, measure)) + tag("span", _interval(estimate, measure), class_="about")
    contrast = facts.contrasts.get(measure.name)
    if contrast is not None:
        inner += tag("span", text(verdict(contrast, measure, unit)), class_=f"verdict {_direction(contrast, measure)}")
    return tag("td", inner)


def verdict(contrast: Contrast, measure: Measure, unit: str) -> str:
    """How a row differs from the reference, and whether that can be told from chance."""
    difference = f"{'+' if contrast.mean >= 0 else '−'}{_number(abs(contrast.mean), measure)}"
    if contrast.low is not None and contrast.high is not None:
        difference += f" ({_signed(contrast.low, measure)} to {_signed(contrast.high, measure)})"
    if contrast.is_told:
        return f"{difference}, {_p(contrast.adjusted_p)}"
    if not contrast.mean and not contrast.wins and not contrast.losses:
        return "no difference"
    if contrast.n < LEAST_TOLD:
        return f"{difference}; too few {unit} to tell"
    ending = f"; about {contrast.more:,} more {_units(unit, contrast.more)} may tell" if contrast.more else ""
    return f"{difference}, not distinguishable{ending}"


def _diversity(facts: RowFacts) -> str:
    if facts.diversity is None:
        return "–"
    estimate = facts.diversity
    interval = "" if estimate.low is None else f"{estimate.low:.2f} to {estimate.high:.2f}, "
    about = f"{interval}n = {estimate.n}, {facts.seeds_per_prompt} seeds, by {facts.features}"
    if facts.vendi is not None:
        about += f"; {facts.vendi.mean:.1f} of them really different (Vendi)"
    return tag("b", f"{estimate.mean:.2f}") + tag("span", text(about), class_="about")


def _interval(estimate: Estimate, measure: Measure) -> str:
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return f"n = {estimate.n}"
    return f"{_number(estimate.low, measure)} to {_number(estimate.high, measure)}, n = {estimate.n}"


def _direction(contrast: Contrast, measure: Measure) -> str:
    """Whether a row is told to be better or worse; "" where it is neither, or nothing is told."""
    if not contrast.is_told or not measure.better:
        return ""
    return "good" if (contrast.mean > 0) == (measure.better == "higher") else "bad"


def _legend(facts: ComparisonFacts) -> str:
    return (
        f"Means over {facts.unit}, with 95 % intervals where there are three or more. Beneath: the difference from the "
        f"reference on the same {facts.unit}, by the exact sign-flip test, corrected (Holm) for the number of rows."
    )


def _number(value: float, measure: Measure) -> str:
    if measure.is_share and measure.name != "saturation":
        return f"{value:.1%}" if 0 < abs(value) < 0.1 else f"{value:.0%}"
    return f"{value:.0f}" if measure.name == "nfe" else f"{value:.2f}"


def _signed(value: float, measure: Measure) -> str:
    return f"{'−' if value < 0 else ''}{_number(abs(value), measure)}"


def _p(value: float) -> str:
    return "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".", 1)


def _units(unit: str, count: int) -> str:
    return unit.removesuffix("s") if count == 1 else unit
