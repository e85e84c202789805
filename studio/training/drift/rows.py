"""What was measured, as rows of a report: retain and unconditional drift, FADE beside the base's and the floor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.metrics.divergence import fade, mean_with_interval, ratio_with_interval
from studio.training.drift.request import BASE, EDIT, FLOOR, FORGET, GOLD, NOTHING, RETAIN, Pair
from studio.training.evaluate.rows import ReportRow, unmeasured

NO_GOLD = "There is no model at hand that was trained alike and never met the concept."
NO_FLOOR = "There is no second model at hand that was trained alike from other first weights."
NO_EFFECT = "The base is no way off from that model: nothing to be a multiple of."
UNFINISHED = "This was not measured to its end; run it again to go on."
GROUP = "drift"


@dataclass(frozen=True)
class Measured:
    """One divergence.

    nats: of each picture.
    dims: numbers a picture's latents have.
    """

    nats: tuple[float, ...]
    dims: int

    def line(self) -> bytes:
        """As it is kept."""
        return json.dumps({"nats": list(self.nats), "dims": self.dims}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Measured:
        """Raises ValueError, KeyError, TypeError for what is none."""
        values = json.loads(line)
        return cls(tuple(map(float, values["nats"])), int(values["dims"]))


Divergences = Mapping[Pair, Measured]


def rows(measured: Divergences, pairs: Sequence[Pair]) -> dict[str, ReportRow]:
    """Rows by what they are of, as a report card takes them; nats a picture, n pictures, bootstrap over pictures.

    "drift_retain", "drift_unconditional": KL(base || edit), so that what the edit no longer draws counts.
    "fade_edit", "fade_base", "fade_floor": symmetric, with the gold model; of the floor, between its two models.
    "fade": the first of these as a multiple of the second. Above 1 the edit is further from never having met the
    concept than the base was.
    """
    edit, base = (_fade(measured, side, GOLD) for side in (EDIT, BASE))
    floor = _fade(measured, FLOOR, f"{FLOOR} 2")
    why_gold = UNFINISHED if any(GOLD in (pair.p, pair.q) for pair in pairs) else NO_GOLD
    why_floor = UNFINISHED if any(FLOOR in (pair.p, pair.q) for pair in pairs) else NO_FLOOR
    answer = {
        "drift_retain": _mean("retain drift", _nats(measured, BASE, EDIT, RETAIN), UNFINISHED),
        "drift_unconditional": _mean("unconditional drift", _nats(measured, BASE, EDIT, NOTHING), UNFINISHED),
        "fade_edit": _mean("FADE, edit", edit, why_gold),
        "fade_base": _mean("FADE, base", base, why_gold),
        "fade_floor": _mean("FADE, floor", floor, why_floor),
    }
    return answer | {"fade": _ratio("FADE, edit over base", edit, base, why_gold)}


def directions(measured: Divergences) -> dict[str, ReportRow]:
    """Each divergence by itself, by its name."""
    return {pair.name: _mean(pair.name, values.nats, UNFINISHED) for pair, values in measured.items()}


def _nats(measured: Divergences, p: str, q: str, prompts: str) -> tuple[float, ...]:
    values = measured.get(Pair(p=p, q=q, prompts=prompts))
    return () if values is None else values.nats


def _fade(measured: Divergences, side: str, reference: str) -> list[float]:
    forward, backward = _nats(measured, side, reference, FORGET), _nats(measured, reference, side, FORGET)
    return fade(forward, backward) if forward and backward else []


def _mean(name: str, values: Sequence[float], why: str) -> ReportRow:
    if not values:
        return unmeasured(GROUP, name, why)
    mean, interval = mean_with_interval(values)
    return ReportRow(GROUP, name, len(values), mean, *interval, unit="mean")


def _ratio(name: str, values: Sequence[float], base: Sequence[float], why: str) -> ReportRow:
    if not values or not base:
        return unmeasured(GROUP, name, why)
    if not any(base):
        return unmeasured(GROUP, name, NO_EFFECT)
    ratio, interval = ratio_with_interval(values, base)
    return ReportRow(GROUP, name, len(values), ratio, *interval, unit="ratio")
