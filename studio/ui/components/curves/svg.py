"""Curves on the page, drawn here: lines as SVG that stretches to its place, the words at its sides as HTML.

So text keeps its size however wide the plot is, takes the page's font and colours, and eight rows in eleven plots are
drawn in milliseconds. matplotlib's SVG shrinks its text with the plot and takes 2.4 s for the same; here it finds the
ticks, and it draws what is taken away, see paper.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from studio.ui.components.curves.marks import class_of, swatch
from studio.ui.components.curves.panel import Panel, Scale, Series, number, places, scale
from studio.ui.markup import tag, text

SIDE = 1000  # of the SVG's own square, which the page stretches
MAX_READ = 60  # columns; with more, one is too narrow to rest on
MAX_DOTS = 60  # points; with more, they are the line


def legend(series: Sequence[Series]) -> str:
    """Which line is which; the main one is strong."""
    items = "".join(
        tag("li", swatch(line.mark) + tag("span", text(line.label)), class_=_class(line).strip()) for line in series
    )
    return tag("ul", items, class_="legend", aria_label="Lines")


def figure(panel: Panel) -> str:
    """A plot with its title and what to look for above, its formula beneath."""
    head = tag("h3", text(panel.title)) + (tag("p", text(panel.hint), title=panel.hint) if panel.hint else "")
    plotted = [line.label for line in panel.series if any(math.isfinite(y) for y in line.y)]
    lacking = [line.label for line in panel.series if line.label and not any(math.isfinite(y) for y in line.y)]
    foot = text(panel.formula)
    if lacking:
        which = f"Only {plotted[0]} has this" if len(plotted) == 1 else f"No line: {', '.join(lacking)}"
        foot += tag("span", text(which), class_="lacking")
    beneath = tag("p", foot, class_="formula") if foot else ""
    return tag("figure", tag("figcaption", head) + plot(panel) + beneath, class_="measured")


@functools.lru_cache(maxsize=256)  # the same come again at every look
def plot(panel: Panel) -> str:
    """The plot alone, as HTML."""
    on = scale(panel)
    lines = sorted(panel.series, key=lambda line: line.main)  # the main one last: on top
    paths = "".join(f'<path class="grid" d="M0 {_y(on, value)}H{SIDE}"/>' for value, _ in on.ticks)
    if panel.level is not None:
        paths += f'<path class="level" d="M0 {_y(on, panel.level)}H{SIDE}"/>'
    paths += "".join(_series(line, on, panel) for line in lines) + _readings(panel)
    inner = f'<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" aria-hidden="true">{paths}</svg>'
    inner += "".join(_word("y", word, f"bottom:{100 * on.at(value):.2f}%") for value, word in on.ticks)
    inner += "".join(_word("x", word, f"left:{_x(at, panel.positions) / SIDE:.2%}") for at, word in places(panel))
    return tag("div", tag("div", inner, class_="area"), class_="plot", role="img", aria_label=described(panel))


def described(panel: Panel) -> str:
    """For those who do not see it."""
    sentences = [panel.title]
    for line in panel.series:
        ends = [y for y in line.y if math.isfinite(y)]
        if ends:
            name = f"{line.label}: " if line.label else ""
            sentences.append(f"{name}from {number(ends[0])} to {number(ends[-1])}, at most {number(max(ends))}")
    return ". ".join(sentences)


def _word(kind: str, word: str, style: str) -> str:
    return tag("span", text(word), class_=kind, style=style)


def _series(line: Series, on: Scale, panel: Panel) -> str:
    count = panel.positions
    classes = f"series {_class(line)}"
    if panel.plot == "bar" and line.main:
        return tag("g", _bars(line, on, count), class_=classes)
    path, dots = "", ""
    is_joined = False
    points = line.points
    for k, (x, y) in enumerate(points):
        is_finite = math.isfinite(on.at(y))
        if is_finite:
            point = f"{_x(x, count)} {_y(on, y)}"
            joins_next = k + 1 < len(points) and math.isfinite(on.at(points[k + 1][1]))
            path += f"{'L' if is_joined else 'M'}{point}"
            # A point alone would be no line.
            if (line.main and len(points) <= MAX_DOTS) or not (is_joined or joins_next):
                dots += f"M{point}h0"
        is_joined = is_finite
    marked = f'<path class="dots" d="{dots}"/>' if dots else ""
    return tag("g", _band(line, on, count) + f'<path class="line" d="{path}"/>{marked}', class_=classes)


def _band(line: Series, on: Scale, count: int) -> str:
    """What a thinned line went through."""
    ends = zip(line.points, line.low, line.high, strict=False)
    bands = [(x, low, high) for (x, _), low, high in ends if math.isfinite(on.at(low)) and math.isfinite(on.at(high))]
    if not bands:
        return ""
    upper = "L".join(f"{_x(x, count)} {_y(on, high)}" for x, _, high in bands)
    back = "L".join(f"{_x(x, count)} {_y(on, low)}" for x, low, _ in reversed(bands))
    return f'<path class="band" d="M{upper}L{back}z"/>'


def _class(line: Series) -> str:
    return ("main " if line.main else "") + class_of(line.mark)


def _readings(panel: Panel) -> str:
    """Columns that say the values where the pointer rests: one a step, or of many steps the newest of each span."""
    count, labelled = panel.positions, [line for line in panel.series if line.label]
    if not labelled or panel.names:
        return ""
    columns, wide = min(count, MAX_READ), count / min(count, MAX_READ)
    values: list[dict[str, tuple[float, float]]] = [{} for _ in range(columns)]
    for line in labelled:
        for x, y in line.points:
            if math.isfinite(y):
                values[min(columns - 1, int((x - 0.5) / wide))][line.label] = (x, y)
    rects = ""
    for k, column in enumerate(values):
        steps = [x for x, _ in column.values()] or [wide * k + 1]
        words = [f"step {max(steps):.0f}", *(f"{name}: {number(y)}" for name, (_, y) in column.items())]
        left = round(SIDE * k / columns)
        rects += tag(
            "rect", tag("title", text("\n".join(words))), x=left, y=0, width=round(SIDE / columns), height=SIDE
        )
    return tag("g", rects, class_="readings")


def _bars(line: Series, on: Scale, count: int) -> str:
    wide, foot = SIDE / count * 0.6, _y(on, max(on.low, 0.0))
    d = "".join(
        f"M{_x(x, count) - wide / 2:.0f} {foot}V{_y(on, y)}h{wide:.0f}V{foot}z"
        for x, y in line.points
        if math.isfinite(y)
    )
    return f'<path class="bars" d="{d}"/>'


def _x(position: float, count: int) -> int:
    """position: from 1, each in the middle of its column."""
    return round(SIDE * (position - 0.5) / count)


def _y(on: Scale, value: float) -> int:
    return round(SIDE * (1 - on.at(value)))
