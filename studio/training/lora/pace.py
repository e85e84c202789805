"""How long a training takes on this machine, from what its own steps took; and whether it may."""

from __future__ import annotations

from studio.core.errors import BadInput

MEASURED_STEPS = 3  # before which nobody can tell
_UNITS = (("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86400.0), ("year", 31_557_600.0))


def in_words(seconds: float) -> str:
    """About how long, in the largest unit of which there are two or more: "90 seconds", "9 hours"."""
    name, size = next(((name, size) for name, size in reversed(_UNITS) if seconds >= 2 * size), _UNITS[0])
    count = round(seconds / size)
    return f"{count:,} {name}{'s' * (count != 1)}"


def check_time(steps: int, step_s: float, limit_s: float | None) -> None:
    """Raise BadInput for steps that take longer than they may, with how many would do. step_s: what one takes."""
    if limit_s is None or steps * step_s <= limit_s:
        return
    most = int(limit_s / step_s)
    fewer = f"Take at most {most:,} steps, or allow" if most else "Allow"
    raise BadInput(
        f"{steps:,} steps of this training take about {in_words(steps * step_s)} on this machine; it may take "
        f"{in_words(limit_s)}.",
        f"{fewer} it more time.",
        field="steps",
    )
