"""Curves as SVG that takes the page's colours, light or dark, and as PNG to take away. By matplotlib, without pyplot,
whose state is shared between threads.
"""

from __future__ import annotations

import functools
import io
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins for the page's colours, replaced in the SVG: what is drawn once fits both themes.
INK, SOFT, RULE, LINE, FAINT = "#010101", "#020202", "#030303", "#040404", "#050505"
_CSS = {
    INK: "var(--ink)",
    SOFT: "var(--ink-soft)",
    RULE: "var(--rule)",
    LINE: "var(--rubric)",
    FAINT: "var(--ink-faint)",
}
_ON_PAPER = {INK: "#26221c", SOFT: "#5d5548", RULE: "#ddd4c4", LINE: "#96301d", FAINT: "#71685a"}
_PAPER = "#fdfbf6"
_PANEL_IN = (2.5, 1.7)
_TITLE_CHARS = 38
_MARKS = "os^Dv"


@dataclass(frozen=True)
class Series:
    """One line. y: NaN leaves a gap. faint: in the background, to compare with."""

    y: tuple[float, ...]
    label: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Panel:
    """One small plot. x: of all its lines. plot: line or bar."""

    title: str
    x: tuple[float, ...]
    series: tuple[Series, ...]
    plot: str = "line"
    x_label: str = ""


def plots(panels: Sequence[Panel]) -> str:
    """Small multiples as HTML: an <svg> each, so that they flow to the width there is."""
    return tag("div", "".join(svg(panel) for panel in panels), class_="plots")


@functools.lru_cache(maxsize=256)  # the same come again at every look
def svg(panel: Panel) -> str:
    """One <svg>, in the page's colours."""
    written = io.StringIO()
    _figure([panel], 1, {}).savefig(written, format="svg", transparent=True, metadata={"Date": None})
    found = written.getvalue()
    found = found[found.index("<svg") :]
    for stand_in, colour in _CSS.items():
        found = found.replace(stand_in, colour)
    # As wide as its place; its own size in points would not shrink.
    found = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", found, count=1)
    found = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", found, count=1)
    return found.replace("<svg", f'<svg class="plot" role="img" aria-label="{text(_described(panel))}"', 1)


def _described(panel: Panel) -> str:
    """For those who do not see it."""
    main = [one for one in panel.series if not one.faint]
    ends = [[y for y in one.y if y == y] for one in main]
    told = "; ".join(f"from {y[0]:.3g} to {y[-1]:.3g}, at most {max(y):.3g}" for y in ends if y)
    return f"{panel.title}: {told}" if told else panel.title


def png(panels: Sequence[Panel], columns: int = 3, title: str = "") -> bytes:
    """The same on paper, at 200 dots per inch."""
    figure = _figure(panels, columns, _ON_PAPER)
    if title:
        figure.suptitle(title, fontsize=9, color=_ON_PAPER[INK])
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=200, facecolor=_PAPER)
    return written.getvalue()


def _figure(panels: Sequence[Panel], columns: int, colours: dict[str, str]) -> Figure:
    import matplotlib as mpl  # here and not above: the page, which imports this file, is painted before that
    from matplotlib.figure import Figure

    def colour(name: str) -> str:
        return colours.get(name, name)

    rows = max(1, math.ceil(len(panels) / columns))
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "palimpsest"}):
        figure = Figure(figsize=(_PANEL_IN[0] * columns, _PANEL_IN[1] * rows), layout="constrained")
        axes: Any = figure.subplots(rows, columns, squeeze=False)
        for place, ax in enumerate(axes.flat):
            if place >= len(panels):
                ax.set_visible(False)
                continue
            _draw(ax, panels[place], colour)
        return figure


def _draw(ax: Any, panel: Panel, colour: Any) -> None:
    ax.set_title(textwrap.fill(panel.title, _TITLE_CHARS), fontsize=7.5, color=colour(INK), loc="left")
    ax.tick_params(labelsize=6.5, colors=colour(SOFT), length=2)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colour(RULE))
    ax.grid(axis="y", color=colour(RULE), linewidth=0.5)
    ax.set_axisbelow(True)
    if panel.x_label:
        ax.set_xlabel(panel.x_label, fontsize=6.5, color=colour(SOFT))
    several = sum(not one.faint for one in panel.series) > 1
    for place, one in enumerate(sorted(panel.series, key=lambda one: not one.faint)):
        shade = colour(FAINT if one.faint else LINE)
        x = panel.x[: len(one.y)]
        if panel.plot == "bar" and not one.faint:
            ax.bar(x, [0.0 if y != y else y for y in one.y], color=shade, width=0.8)
            continue
        style = {"linewidth": 0.8, "alpha": 0.55} if one.faint else {"linewidth": 1.5, "marker": _MARKS[place % 5]}
        ax.plot(x, one.y, color=shade, markersize=2.5, label=one.label or None, **style,
                linestyle=("-", "--", ":")[place % 3] if several else "-")  # fmt: skip
    if several:
        ax.legend(fontsize=6, frameon=False, labelcolor=colour(SOFT))
