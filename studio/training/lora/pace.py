"""How long a training takes on this machine, from what its own steps and looks took; and whether it may."""

from __future__ import annotations

from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown

MEASURED_STEPS = 3  # before which nobody can tell
_UNMEASURED = 0.25  # share of the limit that is left for looks until one tells what they take
_SAID = 0.05  # share of the limit from which getting ready is worth a word
_UNITS = (("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86400.0), ("year", 31_557_600.0))
# What the field of minutes says of itself, on whichever tab.
MINUTES = (
    f"Limit of the whole training. If its steps alone would take longer, it is refused after step {MEASURED_STEPS}; if "
    "previews and what judges them would, it stops in time and keeps what it learned. Empty: no limit."
)


def seconds_of(minutes: Any) -> float | None:
    """What somebody allows a training, in seconds; None for None. Raises BadInput for what is no time in minutes."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not minutes > 0:
        raise BadInput(f"A time in minutes is a number above 0, not {shown(minutes)}.", field="minutes")
    return 60.0 * minutes


def in_words(seconds: float) -> str:
    """About how long, in the largest unit of which there are two or more: "90 seconds", "9 hours"."""
    name, size = next(((name, size) for name, size in reversed(_UNITS) if seconds >= 2 * size), _UNITS[0])
    count = round(seconds / size)
    return f"{count:,} {name}{'s' * (count != 1)}"


class TimeLimit:
    """What a training may take in all by the clock: getting ready, steps, looks, and judging at its end.

    Steps that take longer by themselves are refused once they are measured. What looks take is known only after the
    first: a training that would run over its limit with them ends before, with what it has.
    """

    def __init__(self, limit_s: float | None, steps: int) -> None:
        """limit_s: None for none. steps: of the plan."""
        self._limit_s, self._steps = limit_s, steps
        self._step_over = 0

    def check(self, step_s: float, before_s: float = 0.0) -> None:
        """Raise BadInput for steps that take longer than they may, with how many would do.

        step_s: what one takes. before_s: what was spent on other things than steps.
        """
        if self._limit_s is None or before_s + self._steps * step_s <= self._limit_s:
            return
        most = max(0, int((self._limit_s - before_s) / step_s))
        ready = f", after {in_words(before_s)} of getting ready" if before_s >= _SAID * self._limit_s else ""
        raise BadInput(
            f"{self._steps:,} steps of this training take about {in_words(self._steps * step_s)} on this machine"
            f"{ready}; the limit is {in_words(self._limit_s)}.",
            f"{f'Take at most {most:,} steps, or allow' if most else 'Allow'} it more time.",
            field="steps",
        )

    def is_over(self, step: int, spent_s: float, step_s: float, looks_s: float | None) -> bool:
        """Whether another step, and what has to follow it, would take longer than all may; remembers at which step.

        spent_s: so far. step_s: what a step takes. looks_s: what looks take from there to the end; None while none was
        taken, and then a share of the limit is kept for them.
        """
        if self._limit_s is None or step < MEASURED_STEPS:
            return False
        if spent_s + step_s + (_UNMEASURED * self._limit_s if looks_s is None else looks_s) > self._limit_s:
            self._step_over = step
        return bool(self._step_over)

    def ended(self) -> str:
        """Why the training is over, a sentence; "" where that is not for the time."""
        if self._limit_s is None or not self._step_over:
            return ""
        return (
            f"Stopped after {self._step_over} of {self._steps} steps: all of them, with the previews and what judges "
            f"them, would take longer than the limit of {in_words(self._limit_s)}."
        )
