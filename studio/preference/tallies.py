"""What is counted of one annotator's labels: sides, repeats, checks, ties, runs and cycles."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from studio.preference.answer import Answer
from studio.preference.label import Label

LEFT, RIGHT, TIE_SIDE = 0, 1, 2
ItemKey = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Share:
    """hits of n."""

    hits: int = 0
    n: int = 0

    @classmethod
    def of(cls, outcomes: Sequence[bool]) -> Share:
        """The share of outcomes that are true."""
        return cls(sum(outcomes), len(outcomes))

    @property
    def value(self) -> float:
        """nan of none."""
        return self.hits / self.n if self.n else math.nan


def item_key(label: Label) -> ItemKey:
    """What was asked about which pictures, in whatever order: equal for a pair and its repeat."""
    return label.question, label.prompt, tuple(sorted(picture.sha256 for picture in label.pictures))


def decision(label: Label) -> int | None:
    """1 for the first picture of a pair, 0 for a tie, -1 for the second; None for what is no answered pair."""
    if label.answer.mode != "pair" or not label.answer.ranks:
        return None
    first, second = label.answer.ranks
    return (second > first) - (second < first)


def ordered_decision(label: Label) -> int | None:
    """The same for the picture whose hash comes first, so that items of the same pictures can be compared."""
    outcome = decision(label)
    if outcome is None:
        return None
    first, second = (picture.sha256 for picture in label.pictures)
    return outcome if first <= second else -outcome


def chosen_side(label: Label) -> int | None:
    """LEFT, RIGHT or TIE_SIDE; None for what is no answered pair, or of an order that is not known."""
    outcome = decision(label)
    if outcome is None or outcome == 0:
        return None if outcome is None else TIE_SIDE
    return label.order.index(0 if outcome > 0 else 1) if len(label.order) == 2 else None


def tie_share(labels: Iterable[Label]) -> Share:
    """Of answered pairs, those that were ties."""
    outcomes = (decision(label) for label in labels)
    return Share.of([outcome == 0 for outcome in outcomes if outcome is not None])


def repeat_share(labels: Iterable[Label]) -> Share:
    """Of repeats, those that were answered as the same pair was first. labels: in the order of time."""
    first_answers: dict[ItemKey, int] = {}
    same: list[bool] = []
    for label in labels:
        outcome, key = ordered_decision(label), item_key(label)
        if outcome is None:
            continue
        if label.purpose == "repeat" and key in first_answers:
            same.append(first_answers[key] == outcome)
        else:
            first_answers.setdefault(key, outcome)
    return Share.of(same)


def failure_share(labels: Iterable[Label], checks: Mapping[int, Answer]) -> Share:
    """Of attention checks, those whose answer lacks what the expected one says; skipped ones are neither.

    checks: item -> the answer that shows attention, in the item's own order.
    """
    answers = [
        (label.answer, checks[label.item])
        for label in labels
        if label.purpose == "check" and label.item in checks and not label.answer.skipped
    ]
    return Share.of([not _says(answer, expected) for answer, expected in answers])


def _says(answer: Answer, expected: Answer) -> bool:
    """Whether an answer prefers what another does, and judges as it does where that judges."""
    preferences, needed = (
        {(comparison.winner, comparison.loser) for comparison in each.comparisons()} for each in (answer, expected)
    )
    return needed <= preferences and expected.good in (None, answer.good)


def longest_run(sides: Iterable[int]) -> int:
    """How often one side was chosen in a row; a tie in between ends a run."""
    longest = run = 0
    previous = TIE_SIDE
    for side in sides:
        run = 0 if side == TIE_SIDE else run + 1 if side == previous else 1
        previous = side
        longest = max(longest, run)
    return longest


def cycle_share(labels: Iterable[Label]) -> Share:
    """Of sets of three pictures that were compared two by two and decided, those where each beats the next.

    Pictures of one prompt under one question; of several answers about a pair their sum counts. A share of 1/4 is what
    coin flips give. Source: Kendall, Babington Smith, Biometrika 31 (1940), section 4.
    """
    scores: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    for label in labels:
        names = [picture.sha256 for picture in label.pictures]
        for comparison in label.answer.comparisons():
            winner, loser = names[comparison.winner], names[comparison.loser]
            table = scores[label.question, label.prompt]
            if winner < loser:
                table[winner, loser] += comparison.weight
            else:
                table[loser, winner] -= comparison.weight
    return Share.of([is_cycle for table in scores.values() for is_cycle in _triads(table)])


def _triads(scores: Mapping[tuple[str, str], float]) -> list[bool]:
    """Of every set of three with three decided pairs, whether it is a circle. scores: pair -> above 0 for its first."""
    beats = {pair if score > 0 else pair[::-1] for pair, score in scores.items() if score}
    compared: dict[str, set[str]] = defaultdict(set)
    for winner, loser in beats:
        compared[winner].add(loser)
        compared[loser].add(winner)
    circles: list[bool] = []
    for a in sorted(compared):
        for b, c in combinations(sorted(name for name in compared[a] if name > a), 2):
            if c in compared[b]:
                wins = [sum((x, y) in beats for y in (a, b, c)) for x in (a, b, c)]
                circles.append(wins == [1, 1, 1])
    return circles
