"""What is known of each number of a tuning, as a curve: the share of votes its values would win against the start."""

from __future__ import annotations

import numpy as np

from studio.preference.tuning.standing import TuningStanding, along
from studio.services.tunings.sliders import Slider
from studio.services.tunings.tuning import Tuning
from studio.ui.components.curves import svg
from studio.ui.components.curves.panel import Panel, Series, number
from studio.ui.markup import tag

POINTS = 37
NAMED = 4  # of these, values that stand beneath the curve
BEST, START, LINE = 0, 7, None
LEVEL = 50.0  # percent of the votes: as good as the start


def panels(tuning: Tuning) -> list[Panel]:
    """A plot for each slider that changes pictures; none before the first vote."""
    standing = tuning.reading.standing
    if standing is None or not standing.votes:
        return []
    sliders = [tuning.plan.sliders[place] for place in tuning.reading.live]
    return [_panel(tuning, standing, slider, dim) for dim, slider in enumerate(sliders)]


def curves_html(tuning: Tuning) -> str:
    """The plots with their legend; "" before the first vote."""
    plotted = panels(tuning)
    if not plotted:
        return ""
    plots = tag("div", "".join(svg.figure(panel) for panel in plotted), class_="plots")
    return tag("section", svg.legend(plotted[0].series) + plots, class_="curves tuning-curves")


def _panel(tuning: Tuning, standing: TuningStanding, slider: Slider, dim: int) -> Panel:
    values = np.linspace(0.0, 1.0, POINTS)
    expected, low, high = (
        tuple(100 * float(share) for share in shares)
        for shares in along(tuning.reading.posterior, standing.best, standing.start, dim, values)
    )
    every = (POINTS - 1) // (NAMED - 1)
    names = tuple(number(slider.value(share)) if k % every == 0 else "" for k, share in enumerate(values))
    line = Series(expected, "votes won against the start, in %", LINE, main=False, low=low, high=high)
    at_start = _mark(standing.start[dim], LEVEL, "where it started", START)
    at_best = _mark(standing.best[dim], float(np.interp(standing.best[dim], values, expected)), "best so far", BEST)
    return Panel(slider.label, (line, at_start, at_best), names=names, level=LEVEL)


def _mark(share: float, height: float, label: str, mark: int) -> Series:
    """A point alone."""
    return Series((height,), label, mark, main=False, x=(1 + share * (POINTS - 1),))
