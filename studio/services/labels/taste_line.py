"""What is said of a taste model in one sentence, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from studio.metrics.intervals import Interval
    from studio.preference.taste.assessment import Assessment

State = Literal["waiting", "learning", "ready", "failed"]
FEWEST = 20  # labels, as studio.preference.taste.model has it, which brings torch


@dataclass(frozen=True)
class TasteLine:
    """What a page says of a taste model.

    text: one sentence.
    state: "waiting" for labels, "learning" for the first time, "ready", "failed".
    labels: answers it was learned from.
    accuracy, low, high: share of held-out preferences it predicts right, with its 95 % interval; None where nothing is
        claimed.
    n: held-out preferences.
    """

    text: str
    state: State
    labels: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


def before(count: int) -> TasteLine:
    """Of a campaign with too few labels."""
    return TasteLine(f"Your taste model says nothing before {FEWEST} answers; there are {count}.", "waiting")


def learning(count: int) -> TasteLine:
    """Of one that is learned for the first time."""
    return TasteLine(f"Your taste model is learning from {count} answers.", "learning")


def line_of(assessment: Assessment, annotator: str | None = None) -> TasteLine:
    """Of a taste. annotator: whose preferences count; None for all."""
    labels = assessment.taste.labels
    tally = assessment.tally(annotator)
    if not tally:
        why = assessment.why or "None of your answers could be held out to try your taste model on."
        return TasteLine(why, "ready", labels)
    accuracy, interval, n = accuracy_of(tally)
    unit = "pairs" if assessment.held_out is None or assessment.held_out.unit == "prompts" else "pairs of known prompts"
    text = (
        f"Your taste model is right {accuracy:.0%} of the time, {interval.low:.0%} to {interval.high:.0%} "
        f"({n} held-out {unit})."
    )
    return TasteLine(text.replace("%", " %"), "ready", labels, accuracy, *interval, n)


def accuracy_of(tally: Mapping[int, tuple[float, int]]) -> tuple[float, Interval, int]:
    """Share of preferences predicted right, its 95 % interval, and how many. tally: prompt -> (right, of how many).

    Preferences of one prompt are alike, so both their share's interval and the bootstrap over prompts are taken, and
    the ends that lie farther out. Raises ValueError for none.
    """
    import torch  # here, and with it the intervals: the page starts without

    from studio.metrics.intervals import Interval, bootstrap, wilson

    rows = torch.tensor(list(tally.values()), dtype=torch.float64)  # [prompts, 2]
    hits, n = (float(total) for total in rows.sum(0))
    if not n:
        raise ValueError("nothing was held out")
    plain = wilson(round(hits), round(n))
    by_prompt = bootstrap(rows, lambda means: means[:, 0] / means[:, 1])
    return hits / n, Interval(min(plain.low, by_prompt.low), max(plain.high, by_prompt.high)), round(n)
