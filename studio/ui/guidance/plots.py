"""Curves on the page, drawn here: lines as SVG that stretches to its place, the words at its sides as HTML.

So text keeps its size however wide the plot is, takes the page's font and colours, and eight rows in eleven plots are
drawn in milliseconds. matplotlib's SVG shrinks its text with the plot and takes 2.4 s for the same; here it finds the
ticks, and it draws what is taken away, see paper.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio.ui.guidance.marks import class_of, swatch
from studio.ui.markup import tag, text

SIDE = 1000  # of the SVG's own square, which the page stretches
Y_TICKS, X_TICKS = 4, 6
MAX_READ = 60  # steps; with more, a column is too narrow to rest on
PAD = 0.06  # of the range, above and below


@dataclass(frozen=True)
class Series:
    """One line. y: at positions 1, 2, ...; NaN leaves a gap. mark: see marks.py. main: the one the plot is about."""

    y: tuple[float, ...]
    label: str = ""
    mark: int | None = None
    main: bool = True


@dataclass(frozen=True)
class Panel:
    """One plot. plot: line or bar (of the main series). names: of the positions; without, they are steps.

    level: of a line to compare with. log: on a scale of factors of two. formula, told: to read with it.
    """

    title: str
    series: tuple[Series, ...]
    plot: str = "line"
    names: tuple[str, ...] = ()
    formula: str = ""
    told: str = ""
    level: float | None = None
    log: bool = False

    @property
    def positions(self) -> int:
        return max([1, len(self.names), *(len(one.y) for one in self.series)])


@dataclass(frozen=True)
class Scale:
    """What a plot's height stands for. ticks: (value, what is written there), within low..high."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def at(self, value: float) -> float:
        """0 at the bottom, 1 at the top; NaN for what the scale does not have."""
        low, high = self.low, self.high
        if self.log:
            if not value > 0:
                return math.nan
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)


def scale(panel: Panel) -> Scale:
    """The scale that all lines of a plot fit on."""
    values = [value for one in panel.series for value in one.y if math.isfinite(value)]
    values += [] if panel.level is None else [panel.level]
    if panel.log and (positive := [value for value in values if value > 0]):
        return _factors(min(positive), max(positive))
    if panel.plot == "bar" or (values and 0 < min(values) < 0.5 * max(values)):
        values.append(0.0)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = PAD * (high - low) or abs(low) * 0.1 or 0.5
    low, high = (0.0 if low == 0 else low - room), high + room
    ticks = _ticks(low, high, Y_TICKS)
    if panel.level is not None:  # which has a number of its own, and room around it
        away = 0.12 * (high - low)
        ticks = sorted([panel.level, *(tick for tick in ticks if abs(tick - panel.level) > away)])
    return Scale(low, high, tuple((value, number(value)) for value in ticks))


def _factors(low: float, high: float) -> Scale:
    """From a power of two to a power of two; what is less than a twentieth beyond does not open another."""
    first, last = math.floor(math.log2(low) + 0.07), math.ceil(math.log2(high) - 0.07)
    if first >= last:
        first, last = first - 1, last + 1
    every = max(1, math.ceil((last - first) / Y_TICKS))
    chosen = [2.0**k for k in range(first, last + 1) if k % every == 0]  # 1 is always among them where it is in range
    return Scale(2.0**first, 2.0**last, tuple((value, f"{number(value)}×") for value in chosen), log=True)


def _ticks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    from matplotlib.ticker import MaxNLocator  # here and not above: the page, which imports this, is painted before

    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    found = MaxNLocator(nbins=count, steps=steps, integer=whole).tick_values(low, high)
    edge = 1e-9 * (high - low)
    return [0.0 if abs(value) < edge else float(value) for value in found if low - edge <= value <= high + edge]


def places(panel: Panel) -> list[tuple[int, str]]:
    """What stands beneath a plot: positions, from 1, and their words."""
    count = panel.positions
    if panel.names:
        return list(enumerate(panel.names, start=1))
    ticks = [int(value) for value in _ticks(1, count, X_TICKS, whole=True)] if count > 1 else []
    ticks = [tick for tick in ticks if tick > max(1, 0.12 * count)]  # beside "step 1", a 2 of 20 would have no room
    return [(1, "step 1"), *((tick, str(tick)) for tick in ticks)]


def number(value: float) -> str:
    """A number as it stands at an axis, with a true minus."""
    return f"{value:.4g}".replace("-", "−")


def legend(series: Sequence[Series]) -> str:
    """Which line is which; the main one is strong."""
    items = "".join(tag("li", swatch(one.mark) + tag("span", text(one.label)), class_=_class(one)) for one in series)
    return tag("ul", items, class_="legend", aria_label="Lines")


def figure(panel: Panel) -> str:
    """A plot with its title and what to look for above, its formula beneath."""
    head = tag("h3", text(panel.title)) + (tag("p", text(panel.told)) if panel.told else "")
    there = [one.label for one in panel.series if any(math.isfinite(y) for y in one.y)]
    lacking = [one.label for one in panel.series if one.label and not any(math.isfinite(y) for y in one.y)]
    foot = text(panel.formula)
    if lacking:
        told = f"Only {there[0]} has this" if len(there) == 1 else f"No line: {', '.join(lacking)}"
        foot += tag("span", text(told), class_="lacking")
    beneath = tag("p", foot, class_="formula") if foot else ""
    return tag("figure", tag("figcaption", head) + plot(panel) + beneath, class_="measured")


@functools.lru_cache(maxsize=256)  # the same come again at every look
def plot(panel: Panel) -> str:
    """The plot alone, as HTML."""
    on = scale(panel)
    lines = sorted(panel.series, key=lambda one: one.main)  # the main one last: on top
    drawn = "".join(f'<path class="grid" d="M0 {_y(on, value)}H{SIDE}"/>' for value, _ in on.ticks)
    if panel.level is not None:
        drawn += f'<path class="level" d="M0 {_y(on, panel.level)}H{SIDE}"/>'
    drawn += "".join(_series(one, on, panel) for one in lines) + _readings(panel)
    inner = f'<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'
    inner += "".join(_word("y", told, f"bottom:{100 * on.at(value):.2f}%") for value, told in on.ticks)
    inner += "".join(_word("x", told, f"left:{_x(at - 1, panel.positions) / SIDE:.2%}") for at, told in places(panel))
    return tag("div", tag("div", inner, class_="area"), class_="plot", role="img", aria_label=described(panel))


def described(panel: Panel) -> str:
    """For those who do not see it."""
    told = [panel.title]
    for one in panel.series:
        ends = [y for y in one.y if math.isfinite(y)]
        if ends:
            name = f"{one.label}: " if one.label else ""
            told.append(f"{name}from {number(ends[0])} to {number(ends[-1])}, at most {number(max(ends))}")
    return ". ".join(told)


def _word(kind: str, told: str, style: str) -> str:
    return tag("span", text(told), class_=kind, style=style)


def _series(one: Series, on: Scale, panel: Panel) -> str:
    count = panel.positions
    shown = f"series {_class(one)}"
    if panel.plot == "bar" and one.main:
        return tag("g", _bars(one, on, count), class_=shown)
    path, dots = "", ""
    before = False
    for k, y in enumerate(one.y):
        here = math.isfinite(on.at(y))
        if here:
            point = f"{_x(k, count)} {_y(on, y)}"
            after = k + 1 < len(one.y) and math.isfinite(on.at(one.y[k + 1]))
            path += f"{'L' if before else 'M'}{point}"
            if one.main or not (before or after):  # a point alone would be no line
                dots += f"M{point}h0"
        before = here
    points = f'<path class="dots" d="{dots}"/>' if dots else ""
    return tag("g", f'<path class="line" d="{path}"/>{points}', class_=shown)


def _class(one: Series) -> str:
    return ("main " if one.main else "") + class_of(one.mark)


def _readings(panel: Panel) -> str:
    """A column at each position that says its values where the pointer rests."""
    count, named = panel.positions, [one for one in panel.series if one.label]
    found = ""
    for k in range(count if named and count <= MAX_READ else 0):
        told = [f"step {k + 1}"]
        told += [f"{one.label}: {number(one.y[k])}" for one in named if k < len(one.y) and math.isfinite(one.y[k])]
        title = tag("title", text("\n".join(told)))
        found += tag("rect", title, x=_x(k - 0.5, count), y=0, width=round(SIDE / count), height=SIDE)
    return tag("g", found, class_="readings") if found else ""


def _bars(one: Series, on: Scale, count: int) -> str:
    wide, foot = SIDE / count * 0.6, _y(on, max(on.low, 0.0))
    d = "".join(
        f"M{_x(k, count) - wide / 2:.0f} {foot}V{_y(on, y)}h{wide:.0f}V{foot}z"
        for k, y in enumerate(one.y)
        if math.isfinite(y)
    )
    return f'<path class="bars" d="{d}"/>'


def _x(k: float, count: int) -> int:
    return round(SIDE * (k + 0.5) / count)


def _y(on: Scale, value: float) -> int:
    return round(SIDE * (1 - on.at(value)))
