"""What is won against what it costs: every strength of every arm that has several, as one drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from studio.core.markup import text
from studio.evidence.alignment.choice import MOST_BROKEN

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 20, 50
COLOURS = ("#1b6ca8", "#c1501d", "#2c7a3d", "#7a3d99", "#8a6d00", "#a02050")
GOAL = 0.65
Curve = list[tuple[float, float, float]]  # strength, broken beyond the base, win; each the mean over trainings


def curves(results: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Arm -> its points by strength, of arms whose strength was chosen."""
    points: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for result in results:
        for point in result["curve"]:
            at = points.setdefault(result["arm"], {}).setdefault(point["strength"], [])
            at.append((point["broken"], point["win"]))
    return {
        arm: [
            (strength, fmean(broken for broken, _ in pairs), fmean(win for _, win in pairs))
            for strength, pairs in sorted(by_strength.items())
        ]
        for arm, by_strength in points.items()
    }


def drawing(results: Sequence[Mapping[str, Any]]) -> str:
    """An SVG: broken pictures beyond the base's to the right, the share won upwards, the goal's corner marked."""
    lines = curves(results)
    costs = [broken for curve in lines.values() for _, broken, _ in curve]
    wins = [win for curve in lines.values() for _, _, win in curve]
    left, right = min([-0.1, *costs]), max([0.2, *costs])
    low, high = min([0.5, *wins]), max([0.8, *wins])

    def x(broken: float) -> float:
        return LEFT + (broken - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def y(win: float) -> float:
        return HEIGHT - BOTTOM - (win - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    corner = (
        f'<rect x="{x(left):.1f}" y="{y(high):.1f}" width="{x(MOST_BROKEN) - x(left):.1f}" '
        f'height="{y(GOAL) - y(high):.1f}" fill="#dfeee2"/>'
    )
    steps = [round(left + k * (right - left) / 5, 2) for k in range(6)]
    rises = [round(low + k * (high - low) / 5, 2) for k in range(6)]
    ticks = "".join(
        f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{100 * step:+.0f}</text>'
        for step in steps
    ) + "".join(f'<text x="{LEFT - 8}" y="{y(rise) + 4:.1f}" text-anchor="end">{rise:.2f}</text>' for rise in rises)
    names = (
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        "broken pictures in a hundred beyond the base's</text>"
        f'<text x="14" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {(TOP + HEIGHT - BOTTOM) / 2})">share won, ties half</text>'
    )
    parts = [_curve(arm, curve, COLOURS[k % len(COLOURS)], k, x, y) for k, (arm, curve) in enumerate(lines.items())]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="Share won against broken pictures, by strength">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{corner}{ticks}{names}{"".join(parts)}</svg>\n'
    )


def _curve(arm: str, curve: Curve, colour: str, place: int, x: Any, y: Any) -> str:
    path = " ".join(f"{x(broken):.1f},{y(win):.1f}" for _, broken, win in curve)
    dots = "".join(
        f'<circle cx="{x(broken):.1f}" cy="{y(win):.1f}" r="3.5" fill="{colour}"/>'
        f'<text x="{x(broken) + 6:.1f}" y="{y(win) - 5:.1f}" font-size="10" fill="{colour}">{strength:g}</text>'
        for strength, broken, win in curve
    )
    legend = f'<text x="{WIDTH - RIGHT + 14}" y="{TOP + 16 + 18 * place}" fill="{colour}">{text(arm)}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{legend}'
