"""What came of a card's pictures, place by place, so that equal places of two series are equal seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from studio.training.erase.card.attack import Attack
from studio.training.erase.card.probe import Probe, Probes
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.results import Facts

BASE, EDIT = "base", "edit"
Outcome = Callable[[Probe, Facts], float | bool | None]  # None where it cannot be said of this picture
Pair = tuple[Probe, Facts | None]


@dataclass(frozen=True)
class Answers:
    """The facts of every picture of a card.

    subject: what was erased.
    probes: what was asked.
    facts: (part, stack) -> facts by place, None where a picture is missing. The stacks are BASE, EDIT, those of
        strengths ("0.5"), "half-way", the edit in fewer bits ("int8", "4-bit"), with the concept learned again
        ("relearned"), and with its words' embeddings learned anew ("inverted", "inverted base", "inverted gold").
    attack: how far words before a prompt got; None where that was not tried.
    """

    subject: Subject
    probes: Probes
    facts: Mapping[tuple[str, str], Sequence[Facts | None]] = field(default_factory=dict)
    attack: Attack | None = None

    def rows(self, part: str, stack: str, *kinds: str) -> list[Pair]:
        """The pictures of one series, in order; those of some kinds of prompt alone where they are named."""
        facts = self.facts.get((part, stack), ())
        pairs = zip(self.probes.get(part, ()), facts, strict=False)
        return [pair for pair in pairs if not kinds or pair[0].kind in kinds]

    def kinds(self, part: str) -> list[str]:
        """The kinds of prompt of a part, in the order they come."""
        return list(dict.fromkeys(probe.kind for probe in self.probes.get(part, ())))


def outcomes(rows: Sequence[Pair], outcome: Outcome) -> list[float | None]:
    """The outcome of every picture, None where there is none."""
    values = (None if facts is None else outcome(probe, facts) for probe, facts in rows)
    return [None if value is None else float(value) for value in values]
