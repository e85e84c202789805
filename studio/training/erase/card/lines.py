"""Lines of a card: a figure, what it stands beside, and how far apart the two are. Pure functions of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from studio.metrics.intervals import bootstrap, paired
from studio.training.evaluate.rows import ReportRow, share_row, unmeasured

Section = Literal["erased", "kept", "robust", "unedited", "quality", "drift"]
Light = Literal["", "good", "fair", "poor"]
NOT_DRAWN = "Nothing of it has been drawn."
NOTHING_TO_RECOVER = "In the base it finds no more than in a model that never met the concept."
NEVER = "The base never does it, so that there is no share to give."


@dataclass(frozen=True)
class Line:
    """One line of a card.

    key: what programs call it.
    section: where it stands.
    name: what people call it.
    about: one sentence.
    part: of which prompts and seeds it is (probe.PARTS); "" for what was measured in another way.
    row: the edit's figure.
    beside: what it is held against, None where that is nothing.
    beside_is: what that is: ceiling, base, floor, or the edit where the line is of none.
    apart: how far the two are apart, over pictures of equal seeds: a difference, or a share of the base.
    light: what is thought of it; "" where nothing is.
    goal: what that goes by.
    """

    key: str
    section: Section
    name: str
    about: str
    part: str
    row: ReportRow
    beside: ReportRow | None = None
    beside_is: str = ""
    apart: ReportRow | None = None
    light: Light = ""
    goal: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        rows = {"edit": self.row, "beside": self.beside, "apart": self.apart}
        plain_rows = {name: None if row is None else _plain(row) for name, row in rows.items()}
        facts = ("key", "section", "name", "about", "part", "beside_is", "light", "goal")
        return {name: getattr(self, name) for name in facts} | plain_rows


def share(name: str, values: Sequence[float | None], why: str = "") -> ReportRow:
    """The share of ones, with Wilson's interval. why: what to say where there are none."""
    hits = [value > 0.5 for value in values if value is not None]
    return share_row("", name, hits) if hits else unmeasured("", name, why or NOT_DRAWN)


def mean(name: str, values: Sequence[float | None], why: str = "") -> ReportRow:
    """The mean of numbers, with the bootstrap's interval over pictures. why: as of `share`."""
    numbers = torch.tensor([value for value in values if value is not None], dtype=torch.float64)
    if not len(numbers):
        return unmeasured("", name, why or NOT_DRAWN)
    return ReportRow("", name, len(numbers), float(numbers.mean()), *bootstrap(numbers), unit="mean")


def difference(values: Sequence[float | None], beside: Sequence[float | None]) -> ReportRow:
    """The mean of paired differences, place by place."""
    sides = _both(values, beside)
    if not len(sides):
        return unmeasured("", "difference", NOT_DRAWN)
    return ReportRow("", "difference", len(sides), *paired(sides[:, 0], sides[:, 1]), unit="difference")


def ratio(values: Sequence[float | None], beside: Sequence[float | None]) -> ReportRow:
    """The mean as a share of the other's, with the bootstrap over pairs.

    Where no pair differs the rule of three gives the interval, as it does of differences (studio.metrics.intervals).
    """
    sides = _both(values, beside)
    if not len(sides):
        return unmeasured("", "share of the base", NOT_DRAWN)
    base = float(sides[:, 1].mean())
    if base <= 0:
        return unmeasured("", "share of the base", NEVER)
    apart = paired(sides[:, 0], sides[:, 1])
    interval = (1 + apart.low / base, 1 + apart.high / base)
    if bool((sides[:, 0] != sides[:, 1]).any()):
        # A resample of a rare outcome may have none of it: what it says of a share is nothing, and it counts as one.
        interval = bootstrap(sides, lambda means: torch.where(means[:, 1] > 0, means[:, 0] / means[:, 1], 1.0))
    low, high = (max(0.0, end) for end in interval)
    return ReportRow("", "share of the base", len(sides), float(sides[:, 0].mean()) / base, low, high, unit="ratio")


def recovered(
    edit: Sequence[float | None], base: Sequence[float | None], gold: Sequence[float | None], why: str = ""
) -> ReportRow:
    """(edit - gold) / (base - gold), means over the same places, with the bootstrap over places; gold may be empty.

    why: as of `share`. Where the base finds no more than the gold model, there is no share to give.
    """
    rows = zip(edit, base, gold or [0.0] * len(edit), strict=False)
    whole = [(a, b, c) for a, b, c in rows if a is not None and b is not None and c is not None]
    name = "of what was to be had"
    if not whole:
        return unmeasured("", name, why or NOT_DRAWN)
    sides = torch.tensor(whole, dtype=torch.float64)
    gain, most = (float(side.mean()) for side in (sides[:, 0] - sides[:, 2], sides[:, 1] - sides[:, 2]))
    if most <= 0:
        return unmeasured("", name, NOTHING_TO_RECOVER)

    def of_means(means: torch.Tensor) -> torch.Tensor:
        room = means[:, 1] - means[:, 2]  # a resample in which there is none says nothing of the share
        return torch.where(room > 0, (means[:, 0] - means[:, 2]) / room, gain / most)

    low, high = (min(1.0, max(0.0, end)) for end in bootstrap(sides, of_means))
    return ReportRow("", name, len(whole), min(1.0, max(0.0, gain / most)), low, high, unit="ratio")


def _both(values: Sequence[float | None], beside: Sequence[float | None]) -> torch.Tensor:
    pairs = [(a, b) for a, b in zip(values, beside, strict=False) if a is not None and b is not None]
    return torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2)


def _plain(row: ReportRow) -> dict[str, Any]:
    """A row without what the line says already."""
    values = row.as_json()
    return {name: values[name] for name in ("n", "value", "low", "high", "hits", "unit", "why") if name in values}
