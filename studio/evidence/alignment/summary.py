"""Results of several trainings as figures with intervals: over trainings and prompts at once, paired by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from studio.metrics.intervals import bootstrap, crossed

Result = Mapping[str, Any]
DIGITS = 4


@dataclass(frozen=True)
class Figure:
    """One number.

    value, low, high: the mean and its 95 % interval.
    sd: between trainings; None of a single one.
    trainings: of every one, by seed.
    """

    value: float
    low: float
    high: float
    sd: float | None
    trainings: tuple[float, ...]


def _figure(table: Tensor, is_ratio: bool = False) -> Figure:
    """table: [T, P] of numbers, or of a number and what it is divided by, or less, [T, P, 2]."""

    def of(means: Tensor) -> Tensor:
        if means.shape[1] == 1:
            return means[:, 0]
        return means[:, 0] / means[:, 1] if is_ratio else means[:, 0] - means[:, 1]

    wide = table if table.dim() == 3 else table[..., None]
    means = tuple(round(float(of(training.mean(0, keepdim=True))), DIGITS) for training in wide)
    low, high = crossed(table, of)
    if not is_ratio and wide.shape[2] == 2 and torch.equal(wide[..., 0], wide[..., 1]):
        low, high = -3 / wide.shape[1], 3 / wide.shape[1]  # the rule of three, as `paired` has it
    spread = round(stdev(means), DIGITS) if len(means) > 1 else None
    return Figure(round(fmean(means), DIGITS), round(low, DIGITS), round(high, DIGITS), spread, means)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """What the trainings of one arm and person came to, as plain values; each figure as `Figure` has it.

    "win"; "ceiling"; "diversity", "vendi", "pvs", "sdi" as shares of the base's; "broken" and "accuracy" beyond the
    base's; "broken_base", "accuracy_base", "styles", "styles_base", "drift" in nats, "rise" in per cent, "steps",
    "seconds", "strength" as means; "tones"; "won", "lost", "pictures" in all.
    results: of other seeds, all of the same pictures.
    """
    opened = [result["open"] for result in results]
    stated = [result["stated"] for result in results]
    values: dict[str, Any] = {"win": asdict(_figure(_table(opened, "win")))}
    for name in ("diversity", "vendi", "pvs", "sdi"):
        values[name] = asdict(_figure(_table(opened, name, f"{name}_base"), is_ratio=True))
    values["broken"] = asdict(_figure(_table(opened, "invalid", "invalid_base")))
    values["accuracy"] = asdict(_figure(_table(stated, "accuracy", "accuracy_base")))
    first = opened[0]
    values["ceiling"] = round(fmean(first["ceiling"]), DIGITS)
    values["broken_base"] = round(fmean(first["invalid_base"]), DIGITS)
    values["accuracy_base"] = round(fmean(stated[0]["accuracy_base"]), DIGITS)
    values["styles"], values["styles_base"] = fmean(part["styles"] for part in opened), first["styles_base"]
    values["drift"] = _drift(results)
    values["tones"] = {name: round(fmean(r["tones"][name][0] for r in results), 2) for name in results[0]["tones"]}
    for name in ("rise", "steps", "seconds", "strength"):
        numbers = [result[name] for result in results if result[name] is not None]
        values[name] = round(fmean(numbers), 2) if numbers else None
    for name in ("won", "lost", "pictures"):
        values[name] = sum(part[name] for part in opened)
    return values


def difference(results: Sequence[Result], against: Sequence[Result], part: str, name: str) -> dict[str, Any] | None:
    """One arm minus another in a list of theirs, over the seeds that both have, as a `Figure`; None without any."""
    by_seed = {result["seed"]: result[part][name] for result in against}
    pairs = [(result[part][name], by_seed[result["seed"]]) for result in results if result["seed"] in by_seed]
    if not pairs:
        return None
    return asdict(_figure(torch.tensor(pairs, dtype=torch.float64).transpose(1, 2)))


def _table(parts: Sequence[Mapping[str, Any]], *names: str) -> Tensor:
    """[T, P] of one list, [T, P, k] of several."""
    lists = [[part[name] for name in names] for part in parts]
    table = torch.tensor(lists, dtype=torch.float64).transpose(1, 2)
    return table[..., 0] if len(names) == 1 else table


def _drift(results: Sequence[Result]) -> dict[str, Any]:
    """Mean over pictures and trainings, with the interval over pictures."""
    means = [fmean(result["drift"]) for result in results]
    low, high = bootstrap(torch.tensor([result["drift"] for result in results], dtype=torch.float64).mean(0))
    return {"value": round(fmean(means), 3), "low": round(low, 3), "high": round(high, 3), "trainings": means}
