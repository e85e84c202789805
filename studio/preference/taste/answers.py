"""Labels as tensors: comparisons of two pictures, choices among several, judgements of one. Rows: of a feature table.

A pair is a comparison, won or tied. Of a list the best is a choice among all, and the worst one with signs reversed; a
ranking is a choice of each picture among those below it, and a tie of those that were ranked alike. "Both good" is a
tie and two thumbs up. Whoever learns never sees checks, repeats, tests, skipped or revealed items (Label.trainable).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from studio.preference.answer import Question
from studio.preference.label import Label, standing

BEST, WORST = 1.0, -1.0


@dataclass(frozen=True, eq=False)
class Comparisons:
    """[n] each, in the order of the labels.

    first, second: rows of the pictures.
    outcome: 1 the first, 0 a tie, -1 the second.
    side: 1 where the first stood on the left, -1 on the right, 0 where that is not known.
    annotator, label: numbers within the answers.
    weight: of the comparison.
    """

    first: Tensor
    second: Tensor
    outcome: Tensor
    side: Tensor
    annotator: Tensor
    label: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Choices:
    """[n] each. rows: [n, k] pictures chosen among, -1 beyond the last; chosen: place; sign: BEST or WORST."""

    rows: Tensor
    chosen: Tensor
    sign: Tensor
    annotator: Tensor
    label: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Judgements:
    """[n] each. row: the picture; good: 1 or -1."""

    row: Tensor
    good: Tensor
    annotator: Tensor
    label: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """All of some labels.

    labels, annotators: what their numbers mean.
    rows: sha256 of a picture -> its row in the table of features.
    """

    comparisons: Comparisons
    choices: Choices
    judgements: Judgements
    labels: tuple[Label, ...]
    annotators: tuple[str, ...]
    rows: Mapping[str, int]

    def reweighted(self, by_label: Tensor) -> Answers:
        """The same, each label's weight multiplied. by_label: [labels]; 0 leaves one out."""

        def scaled(part: Any) -> Any:
            return replace(part, weight=part.weight * by_label[part.label])

        return replace(
            self,
            comparisons=scaled(self.comparisons),
            choices=scaled(self.choices),
            judgements=scaled(self.judgements),
        )


@dataclass
class _Columns:
    """What is collected, row by row."""

    comparisons: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])
    choices: list[tuple[list[int], int, float, int, int, float]] = field(
        default_factory=list[tuple[list[int], int, float, int, int, float]]
    )
    judgements: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])


def read(labels: Sequence[Label], rows: Mapping[str, int], question: Question = "overall") -> Answers:
    """What may be learned from labels.

    labels: any; those taken back, those that are not trainable and those to another question are left out, and so are
        those with a picture that has no features.
    rows: sha256 of a picture -> its row in the table of features.
    """
    usable = tuple(
        label
        for label in standing(list(labels))
        if label.trainable and label.question == question and all(picture.sha256 in rows for picture in label.pictures)
    )
    annotators = tuple(sorted({label.annotator for label in usable}))
    columns = _Columns()
    for number, label in enumerate(usable):
        _collect(columns, label, [rows[picture.sha256] for picture in label.pictures], annotators, number)
    first, second, outcome, side, annotator, number, weight = _table(columns.comparisons, 7)
    row, good, judge, judged, judged_weight = _table(columns.judgements, 5)
    return Answers(
        Comparisons(first.long(), second.long(), outcome.long(), side, annotator.long(), number.long(), weight),
        _choices(columns.choices),
        Judgements(row.long(), good, judge.long(), judged.long(), judged_weight),
        usable,
        annotators,
        rows,
    )


def _table(rows: Sequence[tuple[float, ...]], columns: int) -> Sequence[Tensor]:
    """The columns of some rows, also of none."""
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, columns).unbind(1)


def _collect(columns: _Columns, label: Label, pictures: Sequence[int], names: Sequence[str], number: int) -> None:
    annotator, answer = names.index(label.annotator), label.answer
    if answer.mode == "pair" and answer.ranks:
        side = (1 if label.order[0] == 0 else -1) if len(label.order) == 2 else 0
        outcome = (answer.ranks[1] > answer.ranks[0]) - (answer.ranks[1] < answer.ranks[0])
        columns.comparisons.append((*pictures, outcome, side, annotator, number, label.weight))
    elif answer.ranks:
        ranks = answer.ranks
        for chosen, rank in enumerate(ranks):
            below = [place for place, other in enumerate(ranks) if other > rank]
            if below and (rank == 1 or answer.mode == "ranking"):
                rivals = [pictures[chosen], *(pictures[place] for place in below)]
                columns.choices.append((rivals, 0, BEST, annotator, number, label.weight))
        if answer.mode == "best_worst":
            worst = ranks.index(max(ranks))
            left = [place for place in range(len(ranks)) if ranks[place] > 1 and place != worst]
            rivals = [pictures[worst], *(pictures[place] for place in left)]
            columns.choices.append((rivals, 0, WORST, annotator, number, label.weight))
        ties = answer.ties()
        for first, second in ties:
            row = (pictures[first], pictures[second], 0, 0, annotator, number, label.weight / len(ties))
            columns.comparisons.append(row)
    for judgement in answer.judgements(len(pictures)):
        good = 1 if judgement.good else -1
        columns.judgements.append((pictures[judgement.picture], good, annotator, number, label.weight))


def _choices(rows: Sequence[tuple[list[int], int, float, int, int, float]]) -> Choices:
    longest = max((len(row[0]) for row in rows), default=1)
    pictures = torch.tensor([row[0] + [-1] * (longest - len(row[0])) for row in rows], dtype=torch.long)
    chosen, sign, annotator, label, weight = _table([row[1:] for row in rows], 5)
    return Choices(pictures.reshape(-1, longest), chosen.long(), sign, annotator.long(), label.long(), weight)
