"""Labels as a campaign would have them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from studio.preference.answer import Answer
from studio.preference.label import Label, Picture, Purpose

START = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = count(1)


def pair_label(
    first: str,
    second: str,
    outcome: str,
    *,
    annotator: str = "ada",
    prompt: str = "a star",
    order: tuple[int, ...] = (0, 1),
    purpose: Purpose = "train",
    item: int = 0,
    latency_ms: float | None = 1500.0,
    chosen_by: str = "random",
    confidence: float | None = None,
) -> Label:
    """One answer about two pictures, later than all before it."""
    number = next(_numbers)
    return Label(
        id=f"{number}",
        item=item or number,
        campaign="test",
        annotator=annotator,
        prompt=prompt,
        pictures=(Picture(first), Picture(second)),
        answer=Answer.pair(outcome),
        order=order,
        answered_at=START + timedelta(seconds=number),
        latency_ms=latency_ms,
        confidence=confidence,
        purpose=purpose,
        chosen_by=chosen_by,
    )


def answered(pictures: tuple[str, ...], answer: Answer, *, annotator: str = "ada", prompt: str = "a star") -> Label:
    """One answer of any mode."""
    number = next(_numbers)
    return Label(
        id=f"{number}",
        item=number,
        campaign="test",
        annotator=annotator,
        prompt=prompt,
        pictures=tuple(map(Picture, pictures)),
        answer=answer,
        order=tuple(range(len(pictures))),
        answered_at=START + timedelta(seconds=number),
    )
