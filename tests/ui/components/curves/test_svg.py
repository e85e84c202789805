"""Curves on the page and on paper."""

from __future__ import annotations

import io
import math
import time
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from studio.ui.components.curves import panel as panels
from studio.ui.components.curves import paper, svg
from studio.ui.components.curves.panel import Panel, Series

NAN = math.nan


def drawn(panel: Panel) -> ET.Element:
    return ET.fromstring(svg.plot(panel))


def paths(panel: Panel, kind: str) -> list[str]:
    return [str(one.get("d")) for one in drawn(panel).iter("path") if one.get("class") == kind]


def words(panel: Panel, kind: str) -> list[str]:
    return [str(one.text) for one in drawn(panel).iter("span") if one.get("class") == kind]


def test_a_plot_is_whole_and_says_in_words_what_it_shows() -> None:
    panel = Panel("a < b & c", (Series((1.0, NAN, 2.0), "it"), Series((0.0, 1.0, 1.0), "x", 3, main=False)))
    root = drawn(panel)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "a < b & c. it: from 1 to 2, at most 2. x: from 0 to 1, at most 1"
    assert "&lt; b &amp; c" in svg.figure(panel)


def test_lines_lie_where_their_values_are() -> None:
    panel = Panel("", (Series((0.0, 1.0), mark=0), Series((1.0, 0.0), mark=1, main=False)))
    on = panels.scale(panel)
    assert (on.low, on.high) == (0.0, 1.06)
    # Steps in the middle of their columns; the main line last, so that it lies on top.
    assert paths(panel, "line") == ["M250 57L750 1000", "M250 1000L750 57"]


def test_a_gap_interrupts_the_line_and_a_lone_point_is_a_dot() -> None:
    series = Series((1.0, 2.0, NAN, 2.0, NAN, 1.0, 1.0), main=False)
    (line,) = paths(Panel("", (series,)), "line")
    assert line.count("M") == 3 and line.count("L") == 2
    (dots,) = paths(Panel("", (series,)), "dots")
    assert dots.count("M") == 1 and dots.startswith("M500 ")


@pytest.mark.parametrize(
    ("values", "low", "high", "ticks"),
    [
        ((0.97, 1.48), 1, 2, ["1×", "2×"]),  # a little below 1 does not take half of the height
        ((0.6, 5.9), 0.5, 8, ["0.5×", "1×", "2×", "4×", "8×"]),
        ((1.0, 1.0), 0.5, 2, ["0.5×", "1×", "2×"]),
        ((0.0, 4.0), 1, 4, ["1×", "2×", "4×"]),
        ((0.001, 1000.0), 2**-10, 1024, ["0.0009766×", "0.03125×", "1×", "32×", "1024×"]),
    ],
)
def test_factors_are_on_a_scale_of_twos(values: tuple[float, ...], low: float, high: float, ticks: list[str]) -> None:
    on = panels.scale(Panel("", (Series(values),), level=1.0, log=True))
    assert (on.low, on.high) == (low, high)
    assert [told for _, told in on.ticks] == ticks
    assert all(0 <= on.at(value) <= 1 for value, _ in on.ticks)


def test_what_no_logarithm_has_is_a_gap() -> None:
    panel = Panel("", (Series((0.0, 2.0, 2.0), main=False),), level=1.0, log=True)
    assert paths(panel, "line")[0].count("M") == 1


def test_the_level_has_its_own_number_and_no_other_is_near() -> None:
    on = panels.scale(Panel("", (Series((0.6, 30.0)),), level=1.0))
    values = [value for value, _ in on.ticks]
    assert 1.0 in values and 0.0 not in values
    assert words(Panel("", (Series((0.6, 30.0)),), level=1.0), "y") == [told for _, told in on.ticks]


@pytest.mark.parametrize("values", [(), (NAN, NAN), (3.0, 3.0), (0.0,), (-2.0, 5.0), (1e-9, 2e-9), (1e6, 2e6)])
@pytest.mark.parametrize("log", [False, True])
def test_any_numbers_make_a_plot_within_its_bounds(values: tuple[float, ...], log: bool) -> None:
    panel = Panel("x", (Series(values, "x"),), log=log)
    on = panels.scale(panel)
    assert on.low < on.high and all(on.low <= value <= on.high for value, _ in on.ticks)
    inside = [on.at(value) for value in values if math.isfinite(value) and (value > 0 or not log)]
    assert all(-0.08 <= at <= 1.08 for at in inside)
    assert "nan" not in svg.plot(panel)


def test_a_minus_is_a_minus() -> None:
    assert panels.number(-0.5) == "−0.5" and panels.number(0.30000000000000004) == "0.3"


@pytest.mark.parametrize(("count", "last"), [(1, "step 1"), (3, "3"), (20, "20"), (150, "150")])
def test_steps_are_named_from_the_first_on(count: int, last: str) -> None:
    panel = Panel("", (Series(tuple(float(k) for k in range(count))),))
    shown = words(panel, "x")
    assert shown[0] == "step 1" and len(shown) <= 8
    assert shown[-1] == last
    assert words(Panel("", (Series((1.0, 2.0)),), names=("a", "b")), "x") == ["a", "b"]


def test_the_legend_names_the_lines_and_the_plot_those_it_lacks() -> None:
    series = (Series((1.0,), "one", 0), Series((), "two", 1, main=False), Series((2.0,), "three", 2, main=False))
    legend = svg.legend(series)
    assert legend.count("swatch mark-") == 3 and legend.count('class="main mark-a"') == 1
    assert "No line: two" in svg.figure(Panel("", series))
    assert "Only one has this" in svg.figure(Panel("", series[:2]))
    assert "lacking" not in svg.figure(Panel("", series[::2]))


def test_bars_stand_on_zero() -> None:
    (bars,) = paths(Panel("", (Series((0.5, NAN, 0.25)),), "bar"), "bars")
    assert bars.count("M") == 2 and bars.startswith("M67 1000V")


def test_a_column_tells_its_values() -> None:
    panel = Panel("", (Series((1.0, 2.0), "one", 0), Series((NAN, 3.0), "two", 1, main=False)))
    told = [one.findtext("title") for one in drawn(panel).iter("rect")]
    assert told == ["step 1\none: 1", "step 2\none: 2\ntwo: 3"]


@pytest.mark.slow  # a figure of this machine: the default suite times nothing
def test_eight_rows_are_drawn_in_150_ms() -> None:
    svg.plot(Panel("", (Series((1.0, 2.0)),)))  # brings matplotlib
    y = [tuple(math.sin(row + k / (9 + place)) for k in range(20)) for place in range(11) for row in range(8)]
    began = time.perf_counter()
    for place in range(11):
        series = tuple(Series(y[8 * place + row], str(row), row, main=row == 0) for row in range(8))
        assert svg.figure(Panel(str(place), series))
    assert time.perf_counter() - began < 0.15


def test_the_picture_to_take_away_has_all_curves_in_the_rows_colours() -> None:
    series = (Series((1.0, 4.0, 2.0), "one", 2), Series((2.0, 1.0, 2.0), "two", 5, main=False))
    main = [Panel(f"main {k}", series, log=k == 2, level=1.0) for k in range(3)]
    small = Image.open(io.BytesIO(paper.png(main, title="formula")))
    large = Image.open(io.BytesIO(paper.png(main, [Panel("rest", series, "bar")] * 5, title="formula")))
    assert small.format == "PNG" and small.width == large.width > 1500 and large.height > small.height + 500
    held = {pixel for _, pixel in small.convert("RGB").getcolors(1 << 24) or []}
    for code, there in (("fdfbf6", True), ("1f9777", True), ("086e91", True), ("234396", False)):
        assert (tuple(bytes.fromhex(code)) in held) == there, code  # the sheet, rows c and f, and not row a
