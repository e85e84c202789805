"""From labels to the rows a training learns from: which pictures, under which prompts, and the numbers of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from studio.alignment.columns import LOSER, OTHER, PROMPT, place
from studio.preference.label import Label
from studio.training.align.objective import Takes

MIN_LIST = 2


@dataclass(frozen=True)
class Row:
    """One row.

    prompts: column -> text.
    pictures: state -> sha256 of its picture; that of the winner, the liked or the best is named "".
    numbers: name -> what the loss is told besides.
    """

    prompts: dict[str, str]
    pictures: dict[str, str]
    numbers: dict[str, float] = field(default_factory=dict[str, float])


WINNER = ""


def rows_of(labels: Iterable[Label], takes: Takes, sureness: Sequence[float] | None = None) -> list[Row]:
    """Rows in the order of the labels.

    sureness: for each label, how likely its winner is preferred; None where nothing knows, and then every pair is sure.
    """
    labels = list(labels)
    match takes:
        case "pairs" | "winners":
            return [row for label in labels for row in _pairs(label)]
        case "sure pairs":
            shares = sureness or [1.0] * len(labels)
            pairs = zip(labels, shares, strict=True)
            return [_with(row, p=share) for label, share in pairs for row in _pairs(label)]
        case "pairs and ties":
            return [row for label in labels for row in (*_pairs(label), *_ties(label))]
        case "thumbs":
            return _thumbs(labels)
        case "lists":
            return _lists(labels)


def list_size(labels: Iterable[Label]) -> int:
    """The commonest number of pictures of a ranking without ties; 0 where there is none."""
    sizes = [len(label.pictures) for label in labels if _is_order(label)]
    return max(sorted(set(sizes)), key=sizes.count) if sizes else 0


def _with(row: Row, **numbers: float) -> Row:
    return Row(row.prompts, row.pictures, {**row.numbers, **numbers})


def _pairs(label: Label) -> list[Row]:
    images = [picture.sha256 for picture in label.pictures]
    return [
        Row(
            {PROMPT: label.prompt},
            {WINNER: images[comparison.winner], LOSER: images[comparison.loser]},
            {"weight": label.weight * comparison.weight},
        )
        for comparison in label.answer.comparisons()
    ]


def _ties(label: Label) -> list[Row]:
    images, ties = [picture.sha256 for picture in label.pictures], label.answer.ties()
    return [
        Row(
            {PROMPT: label.prompt},
            {WINNER: images[first], LOSER: images[second]},
            {"weight": label.weight / len(ties), "tie": 1.0},
        )
        for first, second in ties
    ]


def _thumbs(labels: Sequence[Label]) -> list[Row]:
    """What was judged by itself; of pairs, who has no thumbs takes winners as liked and losers as disliked.

    As many rows as the larger of the two has pictures; the smaller goes round.
    """
    judged: dict[bool, list[tuple[str, str, float]]] = {True: [], False: []}
    for label in labels:
        images = [picture.sha256 for picture in label.pictures]
        for number, good in label.answer.judgements(len(images)):
            judged[good].append((images[number], label.prompt, label.weight))
        for comparison in label.answer.comparisons():
            for good, number in ((True, comparison.winner), (False, comparison.loser)):
                judged[good].append((images[number], label.prompt, label.weight * comparison.weight))
    liked, disliked = judged[True], judged[False]
    count = max(len(liked), len(disliked)) if liked and disliked else 0
    return [
        Row(
            {PROMPT: prompt, OTHER: other},
            {WINNER: image, LOSER: worse},
            {"weight": weight, "other_weight": other_weight},
        )
        for (image, prompt, weight), (worse, other, other_weight) in zip(
            islice(cycle(liked), count), islice(cycle(disliked), count), strict=True
        )
    ]


def _lists(labels: Sequence[Label]) -> list[Row]:
    size = list_size(labels)
    rows: list[Row] = []
    for label in labels:
        if _is_order(label) and len(label.pictures) == size:
            order = sorted(range(size), key=lambda number: label.answer.ranks[number])
            images = [label.pictures[number].sha256 for number in order]
            states = [WINNER, *(place(number) for number in range(1, size))]
            rows.append(Row({PROMPT: label.prompt}, dict(zip(states, images, strict=True)), {"weight": label.weight}))
    return rows


def _is_order(label: Label) -> bool:
    """Whether it puts pictures in an order without ties."""
    ranks = label.answer.ranks
    return len(ranks) >= MIN_LIST and len(set(ranks)) == len(ranks)
