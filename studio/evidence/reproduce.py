"""Trying claims: draw their arms, hold the conditions against the intervals, give plain values to keep and to print."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from torch import Tensor

from studio.core.errors import NotFound
from studio.evidence import claims as _claims  # noqa: F401  # registers them
from studio.evidence.claim import CLAIMS, Claim
from studio.evidence.drawing import Gallery
from studio.evidence.verdict import judge, overall
from studio.metrics.intervals import paired
from studio.models.card import ModelCard
from studio.training.evaluate.drawing import Draw
from studio.training.evaluate.measures import TOLD
from studio.training.evaluate.meter import FeatureReader

PICTURES, QUICK_PICTURES = 224, 28  # per arm

Progress = Callable[[str, float, float], None]  # claim, share of all work done, seconds left


def chosen(names: Sequence[str]) -> list[tuple[str, Claim]]:
    """The claims of these methods, or of these names, in the order given; all where none is named.

    Raises NotFound naming the methods there are.
    """
    if not names:
        return list(CLAIMS.items())
    claims: dict[str, Claim] = {}
    for name in names:
        matching = {key: claim for key, claim in CLAIMS.items() if name in (key, claim.method)}
        if not matching:
            methods = ", ".join(sorted({claim.method for _, claim in CLAIMS.items()}))
            raise NotFound(f"There is no claim of a method named {name[:60]!r}; there are claims of {methods}.")
        claims |= matching
    return list(claims.items())


def reproduce(
    claims: Sequence[tuple[str, Claim]],
    draw: Draw,
    oracle: FeatureReader,
    card: ModelCard,
    *,
    quick: bool = False,
    progress: Progress = lambda claim, row_count, left_s: None,
) -> Iterator[dict[str, Any]]:
    """Try claims one after the other; yield each one's result as it is known.

    A result is plain values: `name`, `method`, `sentence`, `source`, `chosen`, `suite`, `verdict`, `quick`,
    `conditions` (each with `difference`, `low`, `high`, `n` prompts and a verdict), `arms` (label, steps, rows per
    picture, means), `renders` (the means of the scenes themselves, or None), `prompts`, `pictures` per arm, `rows` of
    all arms, `drawn_rows` this time, `seconds`, `date`.
    Raises what drawing raises; results already yielded are whole.
    """
    began, row_count, name = time.monotonic(), 0, ""

    def count(rows: int) -> None:
        nonlocal row_count
        row_count += rows
        left = max(0, total - row_count)
        progress(name, row_count / max(1, total), left * (time.monotonic() - began) / row_count)

    gallery = Gallery(draw, oracle, card, QUICK_PICTURES if quick else PICTURES, count)
    arms = [(claim.suite, arm) for _, claim in claims for arm in claim.arms.values()]
    total = sum(gallery.cost(suite, [arm]) for suite, arm in dict.fromkeys(arms))
    for name, claim in claims:  # `count` tells it
        yield _tried(name, claim, gallery, quick)


def _tried(name: str, claim: Claim, gallery: Gallery, quick: bool) -> dict[str, Any]:
    began, arms = time.monotonic(), list(claim.arms.values())
    drawn_rows = gallery.cost(claim.suite, arms)
    measured = dict(zip(claim.arms, gallery.measured(claim.suite, arms), strict=True))
    conditions, verdicts = [], []
    for condition in claim.conditions:
        difference = paired(measured[condition.arm][condition.measure], measured[condition.against][condition.measure])
        verdicts.append(judge(condition, difference))
        conditions.append(
            {
                "measure": condition.measure,
                "arm": condition.arm,
                "against": condition.against,
                "want": condition.want,
                "margin": condition.matters,
                "difference": round(difference.mean, 6),
                "low": round(difference.low, 6),
                "high": round(difference.high, 6),
                "n": len(measured[condition.arm][condition.measure]),
                "verdict": verdicts[-1],
            }
        )
    pictures = len(gallery.suite(claim.suite))
    return {
        "name": name,
        "method": claim.method,
        "sentence": claim.sentence,
        "source": claim.source,
        "chosen": claim.chosen,
        "suite": claim.suite,
        "verdict": overall(verdicts),
        "quick": quick,
        "conditions": conditions,
        "arms": [
            {
                "label": label,
                "steps": gallery.steps(claim.suite, arm),
                "rows": gallery.rows(claim.suite, arm),
                "sampler": arm.sampler,
                "means": _means(measured[label]),
            }
            for label, arm in claim.arms.items()
        ],
        "renders": None if (renders := gallery.renders(claim.suite)) is None else _means(renders),
        "prompts": gallery.prompts(claim.suite),
        "pictures": pictures,
        "rows": sum(gallery.rows(claim.suite, arm) for arm in arms) * pictures,
        "drawn_rows": drawn_rows,
        "seconds": round(time.monotonic() - began, 1),
        "date": date.today().isoformat(),
    }


def _means(measured: Mapping[str, Tensor]) -> dict[str, float]:
    return {key: round(float(measured[key].mean()), 6) for key in TOLD if key in measured}
