"""Paired timing: ours and theirs in turns, in one process, on the same work.

A machine's speed drifts, and other programs come and go. So each pair is timed back to back, the next pair in the other
order, and what is told is the median of the pairs' ratios with its quartiles; never a ratio of two totals.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.core.errors import BadInput

LEAST_PAIRS = 7
Work = Callable[[], Any]


def check_pairs(pairs: int) -> None:
    """Raise BadInput for fewer than 7."""
    if pairs < LEAST_PAIRS:
        raise BadInput(f"A bench needs at least {LEAST_PAIRS} pairs, not {pairs}.", field="pairs")


def time_pairs(ours: Work, theirs: Work, pairs: int, on_pair: Callable[[int], None], repeat: int = 1) -> dict[str, Any]:
    """Time both sides `pairs` times in turns; give the fields of BenchResult that come of it.

    repeat: how often a side does its work within one timing, for work of microseconds. Both sides are run once before,
    unmeasured. Raises BadInput for fewer than 7 pairs.
    """
    check_pairs(pairs)
    ours()
    theirs()
    took: dict[str, list[_Took]] = {"ours": [], "theirs": []}
    for pair in range(pairs):
        sides = {"ours": ours, "theirs": theirs}
        for name in sides if pair % 2 == 0 else reversed(sides):
            took[name].append(_time(sides[name], repeat))
        on_pair(pair + 1)
    together = list(zip(took["ours"], took["theirs"], strict=True))
    low, middle, high = statistics.quantiles([their.wall_s / our.wall_s for our, their in together], n=4)
    return {
        "pairs": pairs,
        "ours_s": statistics.median(our.wall_s for our in took["ours"]),
        "theirs_s": statistics.median(their.wall_s for their in took["theirs"]),
        "ratio": middle,
        "ratio_low": low,
        "ratio_high": high,
        "cpu_ratio": statistics.median(their.cpu_s / our.cpu_s for our, their in together),
    }


def difference(ours: list[npt.NDArray[np.uint8]], theirs: list[npt.NDArray[np.uint8]]) -> int:
    """The largest difference of any channel between two lists of pictures, 0..255."""
    return max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class _Took:
    wall_s: float
    cpu_s: float


def _time(work: Work, repeat: int) -> _Took:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        work()
    return _Took((time.perf_counter() - wall) / repeat, max(time.process_time() - cpu, 1e-9) / repeat)
