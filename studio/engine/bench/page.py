"""docs/performance.md: what a run of all cases measured, and what limits each."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date

from studio.engine.bench.results import BenchResult, Fact

_HEAD = """# Performance

Written by `python launch.py bench --out docs/performance.md`; do not edit.

Every row times our side and diffusers' on the same work in one process: same weights, prompt, seeds, steps, number
format and threads, interleaved A-B-B-A. A ratio is theirs / ours, the median over pairs of runs with its quartiles:
above 1 the studio is faster. Pixels is the largest difference between both sides' pictures."""


def page(results: Sequence[BenchResult | Fact]) -> str:
    """The page, with a table row per case."""
    made_by = next((result.made_by for result in results if result.made_by), {})
    about = (
        f"Measured on {date.today().isoformat()} on {os.cpu_count()} cores ({platform.machine()}, "
        f"{made_by.get('cpu', 'unknown')}), {made_by.get('threads', '?')} threads, {made_by.get('dtype', '?')}; "
        f"torch {made_by.get('torch', '?')}, diffusers {made_by.get('diffusers', '?')}."
    )
    rows = [
        "| case | what | ours | theirs | ratio | quartiles | goal | reached | pixels | what limits it |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([_HEAD, "", about, "", *rows, *map(_row, results), ""])


def _row(r: BenchResult | Fact) -> str:
    if isinstance(r, Fact):
        reached = "yes" if r.reached else "**no**"
        cells = (
            f"`{r.case}`",
            r.work,
            f"{r.ours:,g} {r.unit}",
            f"{r.theirs:,g} {r.unit}",
            "",
            "",
            f"{r.at_most:g}",
            reached,
            "",
            r.limit,
        )
        return "| " + " | ".join(cells) + " |"
    goal = "" if r.goal is None else f"{r.goal:g}"
    reached = {None: "", True: "yes", False: "**no**"}[r.reached]
    pixels = "" if r.max_difference is None else f"{r.max_difference}/255"
    quartiles = f"{r.ratio_low:.2f} to {r.ratio_high:.2f} of {r.pairs}"
    cells = (
        f"`{r.case}`",
        r.work,
        _ms(r.ours_s),
        _ms(r.theirs_s),
        f"{r.ratio:.2f}",
        quartiles,
        goal,
        reached,
        pixels,
        r.limit,
    )
    return "| " + " | ".join(cells) + " |"


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
