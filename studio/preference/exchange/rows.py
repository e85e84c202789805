"""Rows of formats out of labels: pairs of pictures, and pictures that are good or bad by themselves.

A list is written as its pairs where a format has no lists: only those that were compared. What was said of a list
says nothing of pictures that nobody compared ("best of four" leaves three uncompared), so no row claims it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from studio.preference.answer import Question
from studio.preference.exchange.options import Rows, Ties
from studio.preference.label import Label, Picture

FIRST, SECOND, TIE = 1.0, 0.0, 0.5


class Pair(NamedTuple):
    """Two pictures that were compared.

    label: the answer it comes from; of several, the first of them, without its annotator.
    share: of those who answered, how many took the first picture, from 0 to 1, a tie being a half.
    """

    label: Label
    first: Picture
    second: Picture
    share: float

    @property
    def winner(self) -> Picture | None:
        """Which of the two was preferred; None for neither."""
        return None if self.share == TIE else self.first if self.share > TIE else self.second

    def in_order(self) -> tuple[Picture, Picture]:
        """The preferred picture and the other. Raises ValueError for a tie."""
        if self.share == TIE:
            raise ValueError("a tie has no order")
        return (self.first, self.second) if self.share > TIE else (self.second, self.first)


class Verdict(NamedTuple):
    """One picture that is good or bad.

    label: the answer it comes from; of several, the first of them, without its annotator.
    """

    label: Label
    picture: Picture
    good: bool


def pairs(label: Label) -> list[Pair]:
    """Pairs of pictures that a label compares, each in the item's own order; none of what compares nothing."""
    preferred = {(c.winner, c.loser) for c in label.answer.comparisons()}
    equal = set(label.answer.ties())
    compared: list[Pair] = []
    for j in range(len(label.pictures)):
        for i in range(j):
            share = FIRST if (i, j) in preferred else SECOND if (j, i) in preferred else TIE
            if share != TIE or (i, j) in equal:
                compared.append(Pair(label, label.pictures[i], label.pictures[j], share))
    return compared


def verdicts(label: Label) -> list[Verdict]:
    """Pictures that a label judges by themselves, or by what they won and lost.

    Judged: thumbs, both good, both bad. Else the winner is good and the loser bad, as TRL turns preferences into
    unpaired ones; of a list the best, and the worst where the worst was asked for. Ties say nothing.
    """
    answer, pictures = label.answer, label.pictures
    if answer.good is not None:
        return [Verdict(label, pictures[j.picture], j.good) for j in answer.judgements(len(pictures))]
    if not answer.ranks or max(answer.ranks) == 1:
        return []
    worst = max(answer.ranks) if answer.mode != "best" else 0
    extremes = [(number, rank == 1) for number, rank in enumerate(answer.ranks) if rank in (1, worst)]
    return [Verdict(label, pictures[number], good) for number, good in extremes]


def with_ties(compared: Iterable[Pair], ties: Ties) -> Iterator[Pair]:
    """The same pairs with ties as the option says: kept, dropped, or each picture chosen once."""
    for pair in compared:
        if pair.share != TIE or ties == "half":
            yield pair
        elif ties == "both":
            yield pair._replace(share=FIRST)
            yield pair._replace(share=SECOND)


@dataclass
class _Tally:
    first: Pair
    sum: float = 0.0
    count: int = 0


def joined(compared: Iterable[Pair], rows: Rows) -> Iterator[Pair]:
    """One pair for all answers about the same two pictures, under the same prompt and question, in order of the first.

    majority: 1, 0 or .5, whichever more said. mean: the share. "each" changes nothing.
    """
    if rows == "each":
        yield from compared
        return
    tallies: dict[tuple[str, Question, frozenset[str]], _Tally] = {}
    for pair in compared:
        key = (pair.label.prompt, pair.label.question, frozenset((pair.first.sha256, pair.second.sha256)))
        tally = tallies.get(key)
        if tally is None:
            bare = replace(_anonymous(pair.label), pictures=())  # a recipe is kilobytes, and nobody asks for it here
            first, second = (replace(picture, recipe=None) for picture in (pair.first, pair.second))
            tally = tallies[key] = _Tally(Pair(bare, first, second, TIE))
        same_way = pair.first.sha256 == tally.first.first.sha256
        tally.sum += pair.share if same_way else 1 - pair.share
        tally.count += 1
    for tally in tallies.values():
        mean = tally.sum / tally.count
        majority = TIE if mean == TIE else FIRST if mean > TIE else SECOND
        yield tally.first._replace(share=mean if rows == "mean" else majority)


def joined_verdicts(judged: Iterable[Verdict], rows: Rows) -> Iterator[Verdict]:
    """One verdict for all answers about a picture under a prompt: what most said. Evenly split, it is left out."""
    if rows == "each":
        yield from judged
        return
    sums: dict[tuple[str, Question, str], tuple[Verdict, int]] = {}
    for verdict in judged:
        key = (verdict.label.prompt, verdict.label.question, verdict.picture.sha256)
        first, sum_ = sums.get(key, (None, 0))
        if first is None:
            bare = replace(_anonymous(verdict.label), pictures=())
            first = Verdict(bare, replace(verdict.picture, recipe=None), True)
        sums[key] = (first, sum_ + (1 if verdict.good else -1))
    for first, sum_ in sums.values():
        if sum_:
            yield first._replace(good=sum_ > 0)


def _anonymous(label: Label) -> Label:
    return replace(label, annotator="", comment="", latency_ms=None, confidence=None)
