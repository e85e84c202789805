"""The curve of a card over strengths, as one drawing that prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.markup import tag, text

WIDTH, HEIGHT = 620, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 12, 36
SERIES = {"ua": "UA", "ua_valid": "UA, valid", "substitute": "substitute", "invalid": "broken"}

Point = Mapping[str, Any]


def strengths(points: Sequence[Point]) -> str:
    """Shares by strength, and the same as a table for whoever cannot see it."""
    most = max(point["strength"] for point in points)

    def x(strength: float) -> float:
        return LEFT + strength / most * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    parts = [_grid(points, x, y)]
    ends = _apart([y(points[-1][name]["value"]) for name in SERIES])
    for (name, label), end in zip(SERIES.items(), ends, strict=True):
        measured = [point for point in points if point[name]["n"]]
        path = " ".join(f"{x(point['strength']):.1f},{y(point[name]['value']):.1f}" for point in measured)
        dots = "".join(f'<circle cx="{x(p["strength"]):.1f}" cy="{y(p[name]["value"]):.1f}" r="3"/>' for p in measured)
        caption = f'<text x="{WIDTH - RIGHT + 12}" y="{end + 4:.1f}">{text(label)}</text>'
        parts.append(f'<g class="series {name}"><polyline points="{path}"/>{dots}{caption}</g>')
    drawing = (
        f'<svg class="strengths" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Shares by strength of the edit">{"".join(parts)}</svg>'
    )
    return drawing + _table(points)


def _grid(points: Sequence[Point], x: Any, y: Any) -> str:
    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>'
        for share in (0, 0.5, 1)
    )
    ticks = "".join(
        f'<text x="{x(p["strength"]):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{p["strength"]:g}</text>'
        for p in points
    )
    return f'<g class="grid">{lines}{ticks}</g>'


def _apart(heights: Sequence[float], least: float = 16) -> list[float]:
    """Heights of labels, moved apart where they would lie over one another, in their order."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for above, below in zip(order, order[1:], strict=False):
        placed[below] = max(placed[below], placed[above] + least)
    over = max(0.0, placed[order[-1]] - (HEIGHT - BOTTOM)) if order else 0.0
    return [height - over for height in placed]


def _table(points: Sequence[Point]) -> str:
    head = tag("tr", tag("th", "Strength", scope="col") + "".join(tag("th", n, scope="col") for n in SERIES.values()))
    rows = "".join(
        tag(
            "tr",
            tag("th", f"{point['strength']:g}", scope="row")
            + "".join(tag("td", _share(point[name]), class_="number") for name in SERIES),
        )
        for point in points
    )
    n = points[0]["ua"]["n"]
    caption = tag("caption", f"Shares of {n} pictures at each strength, with 95 % intervals.")
    table = tag("table", caption + tag("thead", head) + tag("tbody", rows), class_="made")
    return tag("details", tag("summary", "The numbers") + table)


def _share(row: Mapping[str, Any]) -> str:
    if not row["n"]:
        return ""
    return f"{100 * row['value']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
