"""What bench cases give, and how a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class BenchResult:
    """Our time on one piece of work against theirs.

    case: its name.
    work: what both sides do, in a few words.
    pairs: how often each side did it.
    ours_s, theirs_s: medians, for one piece of work.
    ratio: median over pairs of their time / ours; above 1 we are faster.
    ratio_low, ratio_high: its quartiles.
    cpu_ratio: the same of processor time, which other programs on the machine disturb less.
    goal: the ratio to reach, None if there is none.
    max_difference: between both sides' pictures, of any channel, 0..255; None where there are none.
    limit: what keeps the ratio from being higher.
    made_by: of the model (ModelBundle.made_by).
    """

    case: str
    work: str
    pairs: int
    ours_s: float
    theirs_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    cpu_ratio: float
    goal: float | None = None
    max_difference: int | None = None
    limit: str = ""
    made_by: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.ratio >= self.goal


@dataclass(frozen=True)
class Fact:
    """Something counted, not timed.

    case: its name.
    work: what is counted, in a few words.
    ours, theirs: in `unit`.
    at_most: what ours may be.
    limit: what keeps ours from being less.
    made_by: of the model (ModelBundle.made_by).
    """

    case: str
    work: str
    unit: str
    ours: float
    theirs: float
    at_most: float
    limit: str = ""
    made_by: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def reached(self) -> bool:
        """Whether ours is small enough."""
        return self.ours <= self.at_most


def as_json(result: BenchResult | Fact) -> dict[str, Any]:
    """The fields and `reached`, as plain values; `work` under the name it has always had there, "what"."""
    values = {**asdict(result), "reached": result.reached}
    return {"what" if name == "work" else name: value for name, value in values.items()}


def table(results: Sequence[BenchResult | Fact]) -> str:
    """Results as text for a terminal: ratios are theirs / ours, with the quartiles over pairs."""
    lines = [
        f"{'case':20} {'ours':>10} {'theirs':>10} {'ratio':>8}  {'quartiles':17} {'of cpu':>7} {'goal':>6}  pixels"
    ]
    for r in results:
        if isinstance(r, Fact):
            lines.append(f"{r.case:20} {r.ours:>10g} {r.theirs:>10g} {r.unit}, at most {r.at_most:g}")
            continue
        goal = "" if r.goal is None else f"{r.goal:g}"
        pixels = "" if r.max_difference is None else f"{r.max_difference}/255"
        lines.append(
            f"{r.case:20} {_duration(r.ours_s):>10} {_duration(r.theirs_s):>10} {r.ratio:8.2f}  "
            f"{f'{r.ratio_low:.2f} to {r.ratio_high:.2f}':17} {r.cpu_ratio:7.2f} {goal:>6}  {pixels}".rstrip()
        )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
