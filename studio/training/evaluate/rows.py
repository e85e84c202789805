"""Rows of a report: pure functions of results. No number goes out without its n and its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from studio.metrics.intervals import bootstrap, paired, wilson
from studio.training.evaluate.measures import TONES, by_prompt, diversities, prompt_means
from studio.training.evaluate.results import Result

Value = Callable[[Result], float | bool | None]  # None where it cannot be said of this result
Unit = Literal["share", "ratio", "mean", "difference"]
NO_RESULTS = "Nothing has been drawn yet."
NOT_STATED = "None of these prompts states it."
DRAWN_ONCE = "No prompt was drawn more than once: how much its pictures vary cannot be said."
MATCHES = ("object", "colour", "bound", "relation", "count", "style", "background", "size", "place")


@dataclass(frozen=True)
class ReportRow:
    """One measured number.

    group, name: what it is of.
    n: how many independent outcomes it is of: pictures of a share, prompts of everything else.
    value: a share, or where hits is None a ratio, a mean, or the mean of paired differences.
    low, high: its 95 % interval.
    hits: outcomes that were so, of a share.
    gate: what it must reach; None for a number without a gate, which has not failed.
    at_most: the gate is reached by staying under it.
    unit: what kind of number it is; "" is that which `hits` implies, a share or a ratio.
    why: where nothing could be measured, the reason in a sentence.
    """

    group: str
    name: str
    n: int
    value: float
    low: float
    high: float
    hits: int | None = None
    gate: float | None = None
    at_most: bool = False
    unit: Unit | Literal[""] = ""
    why: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the gate is reached; None without one, and False where nothing could be measured."""
        if self.gate is None:
            return None
        return self.n > 0 and (self.value <= self.gate if self.at_most else self.value >= self.gate)

    def as_json(self) -> dict[str, Any]:
        """The fields and `passed`, as plain values; unit and why only where they say something."""
        values = {**asdict(self), "passed": self.passed}
        return {name: value for name, value in values.items() if value or name not in ("unit", "why")}


def share_row(
    group: str,
    name: str,
    outcomes: Sequence[bool] | npt.NDArray[Any],
    gate: float | None = None,
    at_most: bool = False,
) -> ReportRow:
    """A share of independent outcomes, with Wilson's interval."""
    hits, n = int(np.count_nonzero(outcomes)), len(outcomes)
    low, high = wilson(hits, n)
    return ReportRow(group, name, n, hits / n if n else 0.0, low, high, hits, gate, at_most)


def unmeasured(group: str, name: str, why: str) -> ReportRow:
    """A row that says why it has no number."""
    return ReportRow(group, name, 0, 0.0, 0.0, 1.0, why=why)


def share_of(group: str, name: str, results: Sequence[Result], outcome: Value, why: str = NOT_STATED) -> ReportRow:
    """The share of results of which the outcome is true, among those of which it can be said."""
    outcomes = [bool(value) for result in results if (value := outcome(result)) is not None]
    return share_row(group, name, outcomes) if outcomes else unmeasured(group, name, why)


def mean_of(group: str, name: str, results: Sequence[Result], value: Value, why: str = NOT_STATED) -> ReportRow:
    """The mean over prompts of a number, each prompt's seeds averaged before; bootstrap over prompts."""
    numbers = [(result, float(number)) for result in results if (number := value(result)) is not None]
    if not numbers:
        return unmeasured(group, name, why)
    prompts = by_prompt([result for result, _ in numbers])
    means = prompt_means(torch.tensor([number for _, number in numbers], dtype=torch.float64), prompts)
    return ReportRow(group, name, len(means), float(means.mean()), *bootstrap(means), unit="mean")


def difference_of(
    group: str, name: str, results: Sequence[Result], base: Sequence[Result], value: Value, why: str = NOT_STATED
) -> ReportRow:
    """The mean over prompts of one series minus the other, each picture with that of the same prompt and seed.

    Pictures that one of them has not are left out; each prompt's seeds are averaged before.
    """
    base_values = {result.case.key: number for result in base if (number := value(result)) is not None}
    pairs = [
        (result, float(number), float(base_values[result.case.key]))
        for result in results
        if result.case.key in base_values and (number := value(result)) is not None
    ]
    if not pairs:
        return unmeasured(group, name, why)
    prompts = by_prompt([result for result, _, _ in pairs])
    sides = torch.tensor([[number, base_number] for _, number, base_number in pairs], dtype=torch.float64)
    difference = paired(prompt_means(sides[:, 0], prompts), prompt_means(sides[:, 1], prompts))
    return ReportRow(group, name, len(prompts), *difference, unit="difference")


def diversity_of(group: str, results: Sequence[Result], why: str = DRAWN_ONCE) -> ReportRow:
    """How much the pictures of one prompt vary between seeds, 1 - cosine of the oracle's features; bootstrap."""
    values = torch.tensor([*diversities(results).values()], dtype=torch.float64)
    if not len(values):
        return unmeasured(group, "diversity", why)
    return ReportRow(group, "diversity", len(values), float(values.mean()), *bootstrap(values), unit="mean")


def diversity_difference(
    group: str, results: Sequence[Result], base: Sequence[Result], why: str = DRAWN_ONCE
) -> ReportRow:
    """The same of one series minus the other, prompt by prompt, over the seeds that both have."""
    mutual_keys = {result.case.key for result in results} & {result.case.key for result in base}
    values, base_values = (
        diversities([result for result in side if result.case.key in mutual_keys]) for side in (results, base)
    )
    prompts = [prompt for prompt in values if prompt in base_values]
    if not prompts:
        return unmeasured(group, "diversity", why)
    sides = (torch.tensor([side[prompt] for prompt in prompts], dtype=torch.float64) for side in (values, base_values))
    return ReportRow(group, "diversity", len(prompts), *paired(*sides), unit="difference")


def matched(name: str) -> Value:
    """Whether a stated attribute is right."""
    return lambda result: result.matches.get(name)


def invalid(result: Result) -> bool | None:
    """Whether the picture is none of the world."""
    return None if result.facts.reading is None else result.facts.reading.invalid


def tone(name: str) -> Value:
    """A tone of the picture."""
    return lambda result: result.facts.tones.get(name)


def values_of(results: Sequence[Result]) -> dict[str, tuple[Value, bool]]:
    """What can be said of these results: name -> (value of a result, whether it is a share)."""
    stated = {name for result in results for name in result.matches}
    values: dict[str, tuple[Value, bool]] = {"as stated": (lambda result: result.is_right, True)}
    values |= {name: (matched(name), True) for name in MATCHES if name in stated}
    return values | {"invalid": (invalid, True)} | {name: (tone(name), False) for name in TONES}


def report(group: str, results: Sequence[Result], why: str = "") -> list[ReportRow]:
    """The rows of one series: what was read right, what was invalid, tones, how much pictures of one prompt vary.

    why: a sentence where its pictures cannot be read at all.
    """
    reason = why or (NOT_STATED if results else NO_RESULTS)
    rows = [
        (share_of if is_share else mean_of)(group, name, results, value, reason)
        for name, (value, is_share) in values_of(results).items()
    ]
    return [*rows, diversity_of(group, results, why or (DRAWN_ONCE if results else NO_RESULTS))]


def against(group: str, results: Sequence[Result], base: Sequence[Result], why: str = "") -> list[ReportRow]:
    """The same as differences from another series of the same cases, and what share of pictures differ at all."""
    reason = why or (NOT_STATED if results and base else NO_RESULTS)
    pixels = {result.case.key: result.facts.sha256 for result in base}
    changed = [result.facts.sha256 != pixels[result.case.key] for result in results if result.case.key in pixels]
    first = share_row(group, "changed", changed) if changed else unmeasured(group, "changed", reason)
    rows = [difference_of(group, name, results, base, value, reason) for name, (value, _) in values_of(results).items()]
    variety = diversity_difference(group, results, base, why or (DRAWN_ONCE if results and base else NO_RESULTS))
    return [first, *rows, variety]
