"""Curves to take away: the page's plots on paper, as PNG. By matplotlib, without pyplot, whose state is shared between
threads.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.ui import theme
from studio.ui.components.curves.marks import DASHES, LETTERS
from studio.ui.components.curves.panel import Panel, Series, places, scale
from studio.ui.components.curves.svg import MAX_DOTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_IN, MAIN_IN, SMALL_IN = 12.0, 3.1, 2.2
DPI = 160
LARGE, SMALL = 11.0, 8.5  # points, of titles
_COLUMNS = 12  # three large plots beside each other, or four small ones


def png(main: Sequence[Panel], rest: Sequence[Panel] = (), title: str = "") -> bytes:
    """The main curves large, the rest beneath, one legend for all."""
    import matplotlib as mpl  # here and not above: the page, which imports this file, is painted before that

    with mpl.rc_context({"font.family": "sans-serif"}):
        figure = _figure(main, rest, title)
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=DPI, facecolor=theme.colours(dark=False)["sheet"])
    return written.getvalue()


def _figure(main: Sequence[Panel], rest: Sequence[Panel], title: str) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    ink = theme.colours(dark=False)
    large, small = math.ceil(len(main) / 3), math.ceil(len(rest) / 4)
    heights = [MAIN_IN] * large + [SMALL_IN] * small
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 1.0), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
    grid = figure.add_gridspec(len(heights), _COLUMNS, height_ratios=heights)
    for place, panel in enumerate(main):
        row, column = divmod(place, 3)
        _draw(figure.add_subplot(grid[row, 4 * column : 4 * column + 4]), panel, ink, LARGE)
    for place, panel in enumerate(rest):
        row, column = divmod(place, 4)
        _draw(figure.add_subplot(grid[large + row, 3 * column : 3 * column + 3]), panel, ink, SMALL)
    if title:
        figure.suptitle(textwrap.fill(title, 110), fontsize=LARGE, color=ink["ink"], family="monospace")
    _legend(figure, main, ink)
    return figure


def _legend(figure: Any, panels: Sequence[Panel], ink: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    lines_by_name = {(line.label, line.mark): line for panel in panels for line in panel.series if line.label}
    if len(lines_by_name) < 2:
        return
    lines = [Line2D([], [], label=line.label, **_style(line, ink)) for line in lines_by_name.values()]
    words = figure.legend(
        handles=lines, loc="outside lower center", ncols=4, frameon=False, fontsize=11, handlelength=3.5
    )
    for line, word in zip(lines_by_name.values(), words.get_texts(), strict=True):
        word.set_color(ink["ink"])
        word.set_fontweight("bold" if line.main else "normal")


def _style(line: Series, ink: dict[str, str]) -> dict[str, Any]:
    colour = ink["ink"] if line.mark is None else ink[f"row-{LETTERS[line.mark]}"]
    dashes = () if line.mark is None else DASHES[line.mark % len(DASHES)]
    width = 2.6 if line.main else 1.6
    return {"color": colour, "linewidth": width, "linestyle": (0, dashes) if dashes else "-"}


def _draw(ax: Any, panel: Panel, ink: dict[str, str], size: float) -> None:
    on, count = scale(panel), panel.positions
    ax.set_title(textwrap.fill(panel.title, 44), fontsize=size, fontweight="bold", color=ink["ink"], loc="left")
    ax.set_facecolor("none")
    if on.log:
        ax.set_yscale("log", base=2)
        ax.minorticks_off()
    ax.set_ylim(on.low, on.high)
    ax.set_yticks([value for value, _ in on.ticks], [word for _, word in on.ticks])
    ax.set_xlim(0.5, count + 0.5)
    ax.set_xticks([at for at, _ in places(panel)], [word for _, word in places(panel)])
    ax.set_xlabel(panel.formula, fontsize=size - 2, color=ink["ink-soft"], family="monospace")
    ax.tick_params(labelsize=size - 2, colors=ink["ink-soft"], length=0)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(ink["field"])
    ax.grid(axis="y", color=ink["rule"], linewidth=0.8)
    ax.set_axisbelow(True)
    if panel.level is not None:
        ax.axhline(panel.level, color=ink["ink-faint"], linewidth=1, zorder=1.5)
    for line in sorted(panel.series, key=lambda line: line.main):
        x, style = [at for at, _ in line.points], _style(line, ink)
        if panel.plot == "bar" and line.main:
            ax.bar(x, [0.0 if y != y else y for y in line.y], color=style["color"], width=0.6, alpha=0.55)
            continue
        if line.low:
            ax.fill_between(x, line.low, line.high, color=style["color"], alpha=0.18, linewidth=0)
        dotted = line.main and len(line.y) <= MAX_DOTS
        ax.plot(x, line.y, **style, marker="o" if dotted else None, markersize=4)
