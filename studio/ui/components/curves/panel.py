"""What a plot shows, as plain values: its lines, its scale, its ticks. Both drawings, svg.py and paper.py, read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

Y_TICKS, X_TICKS = 4, 6
MAX_POINTS = 240  # of a line; a plot is hardly ever wider in pixels than twice that
PAD = 0.06  # of the range, above and below


@dataclass(frozen=True)
class Series:
    """One line.

    y: its values; NaN leaves a gap.
    label: what the legend calls it.
    mark: its colour and kind of line, see marks.py; None is ink.
    main: whether the plot is about it.
    x: where each value is, from 1 and rising; without, at 1, 2, ...
    low, high: of a band around the line, as long as y; without, there is none.
    """

    y: tuple[float, ...]
    label: str = ""
    mark: int | None = None
    main: bool = True
    x: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def points(self) -> list[tuple[float, float]]:
        """(x, y) of all values, gaps among them."""
        return list(zip(self.x or range(1, len(self.y) + 1), self.y, strict=True))


@dataclass(frozen=True)
class Panel:
    """One plot.

    title: above it.
    series: its lines.
    plot: line, or bar for the main series.
    names: of the positions 1, 2, ...; without, these are steps.
    formula: beneath it.
    hint: what to look for, above it.
    level: of a line to compare with.
    log: on a scale of factors of two.
    """

    title: str
    series: tuple[Series, ...]
    plot: str = "line"
    names: tuple[str, ...] = ()
    formula: str = ""
    hint: str = ""
    level: float | None = None
    log: bool = False

    @property
    def positions(self) -> int:
        """The last position of any line, at least 1."""
        ends = [math.ceil(series.points[-1][0]) for series in self.series if series.y]
        return max([1, len(self.names), *ends])


@dataclass(frozen=True)
class Scale:
    """What a plot's height stands for.

    low, high: its ends.
    ticks: (value, what is written there), within these.
    log: whether equal factors are equally high.
    """

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
    every = [value for series in panel.series for value in (*series.y, *series.low, *series.high)]
    values = [value for value in every if math.isfinite(value)]
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


def thinned(series: Series, most: int = MAX_POINTS) -> Series:
    """A line of many values as the means of up to `most` spans of equal width, in the band of what they went through.

    A line of no more values than that stays as it is.
    """
    if len(series.y) <= most:
        return series
    points = series.points
    first, last = points[0][0], points[-1][0]
    spans: dict[int, list[tuple[float, float]]] = {}
    for x, y in points:
        spans.setdefault(min(most - 1, int(most * (x - first) / (last - first))), []).append((x, y))
    x = tuple(sum(at for at, _ in span) / len(span) for span in spans.values())
    finite = [[y for _, y in span if math.isfinite(y)] or [math.nan] for span in spans.values()]
    mean = tuple(sum(values) / len(values) for values in finite)
    low, high = (tuple(end(values) for values in finite) for end in (min, max))
    return replace(series, x=x, y=mean, low=low, high=high)


def places(panel: Panel) -> list[tuple[int, str]]:
    """What stands beneath a plot: positions, from 1, and their words."""
    count = panel.positions
    if panel.names:
        return list(enumerate(panel.names, start=1))
    ticks = [int(value) for value in _ticks(1, count, X_TICKS, whole=True)] if count > 1 else []
    ticks = [tick for tick in ticks if tick > max(1, 0.12 * count)]  # beside "step 1", a 2 of 20 would have no room
    return [
        (1, "step 1"),
        *((tick, f"{tick:,}".replace(",", "\u202f") if tick > 9999 else str(tick)) for tick in ticks),
    ]


def number(value: float) -> str:
    """A number as it stands at an axis, with a true minus."""
    return f"{value:.4g}".replace("-", "−")


def _factors(low: float, high: float) -> Scale:
    """From a power of two to a power of two; what is less than a twentieth beyond does not open another."""
    first, last = math.floor(math.log2(low) + 0.07), math.ceil(math.log2(high) - 0.07)
    if first >= last:
        first, last = first - 1, last + 1
    every = max(1, math.ceil((last - first) / Y_TICKS))
    chosen = [2.0**k for k in range(first, last + 1) if k % every == 0]  # 1 is always among them where it is in range
    return Scale(2.0**first, 2.0**last, tuple((value, f"{number(value)}×") for value in chosen), log=True)


def _ticks(low: float, high: float, count: int, whole: bool = False) -> Sequence[float]:
    from matplotlib.ticker import MaxNLocator  # here and not above: the page, which imports this, is painted before

    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    ticks = MaxNLocator(nbins=count, steps=steps, integer=whole).tick_values(low, high)
    edge = 1e-9 * (high - low)
    return [0.0 if abs(value) < edge else float(value) for value in ticks if low - edge <= value <= high + edge]
