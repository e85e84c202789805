"""What somebody answered about the pictures of one item, and what of it compares or judges them.

An item is a pair, a list or a single picture. Whatever was asked, an answer is an order of the pictures (ranks, ties
included), a judgement of them (good or bad), both, or nothing (skipped): "both bad" is a tie of two bad pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, get_args

from studio.core.errors import BadInput
from studio.core.params import shown

Mode = Literal["pair", "best", "best_worst", "ranking", "thumb"]
Question = Literal["overall", "prompt", "look"]
MODES: tuple[Mode, ...] = get_args(Mode)
QUESTIONS: tuple[Question, ...] = get_args(Question)  # which is better; follows the prompt better; looks better
MAX_PICTURES = 16

FIRST, SECOND, TIE, BOTH_GOOD, BOTH_BAD, SKIP = "first", "second", "tie", "both_good", "both_bad", "skip"
OUTCOMES = (FIRST, SECOND, TIE, BOTH_GOOD, BOTH_BAD, SKIP)


class Comparison(NamedTuple):
    """One picture of an item against another. weight: its share, so that an answer about many counts once."""

    winner: int
    loser: int
    weight: float


class Judgement(NamedTuple):
    """One picture of an item by itself."""

    picture: int
    good: bool


@dataclass(frozen=True)
class Answer:
    """One answer. Pictures are numbered in the item's own order, never in that of the screen.

    mode: how it was asked.
    ranks: one of each picture, from 1, the best; equal ranks are a tie. Empty where nothing was compared.
    good: what was said of all pictures together (thumbs, both good, both bad); None for nothing.
    Raises BadInput for ranks that no such answer has.
    """

    mode: Mode
    ranks: tuple[int, ...] = ()
    good: bool | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(f"An answer's mode is {', '.join(MODES)}, not {shown(self.mode)}.", field="mode")
        if not self.ranks:
            return
        count, levels = len(self.ranks), sorted(set(self.ranks))
        wrong = ""
        if self.mode == "thumb":
            wrong = "A single picture has no rank"
        elif not 2 <= count <= MAX_PICTURES:
            wrong = f"Between 2 and {MAX_PICTURES} pictures are ranked, not {count}"
        elif levels != list(range(1, len(levels) + 1)):
            wrong = f"Ranks are 1, 2, ... without a gap, not {shown(self.ranks)}"
        elif self.mode == "pair" and count != 2:
            wrong = f"A pair has two pictures, not {count}"
        elif self.mode == "best" and sorted(self.ranks) != [1] + [2] * (count - 1):
            wrong = f"One picture of {count} is the best, not {self.ranks.count(1)}"
        elif self.mode == "best_worst" and sorted(self.ranks) != [1] + [2] * (count - 2) + [3]:
            wrong = f"One picture of {count} is the best and another the worst; the ranks say {shown(self.ranks)}"
        if wrong:
            raise BadInput(f"{wrong}.", field="ranks")
        if self.good is not None and levels != [1]:
            raise BadInput("Pictures that were ranked are not good or bad all together.", field="good")

    @classmethod
    def pair(cls, outcome: str) -> Answer:
        """Of a pair. outcome: of OUTCOMES. Raises BadInput."""
        if outcome not in OUTCOMES:
            raise BadInput(f"A pair's outcome is {', '.join(OUTCOMES)}, not {shown(outcome)}.", field="outcome")
        if outcome == SKIP:
            return cls("pair")
        ranks = {FIRST: (1, 2), SECOND: (2, 1)}.get(outcome, (1, 1))
        return cls("pair", ranks, {BOTH_GOOD: True, BOTH_BAD: False}.get(outcome))

    @classmethod
    def best(cls, best: int, count: int) -> Answer:
        """One of `count` pictures is better than each of the others, which were not compared. Raises BadInput."""
        _check_picture(best, count)
        return cls("best", tuple(1 if number == best else 2 for number in range(count)))

    @classmethod
    def best_worst(cls, best: int, worst: int, count: int) -> Answer:
        """The best and the worst of `count` (at least 3) pictures. Raises BadInput."""
        _check_picture(best, count)
        _check_picture(worst, count)
        return cls("best_worst", tuple({best: 1, worst: 3}.get(number, 2) for number in range(count)))

    @classmethod
    def thumb(cls, good: bool) -> Answer:
        """Of one picture."""
        return cls("thumb", (), good)

    @property
    def skipped(self) -> bool:
        """Whether it says nothing: nobody trains on it, and nobody counts it as a tie."""
        return not self.ranks and self.good is None

    @property
    def outcome(self) -> str:
        """Of a pair: one of OUTCOMES."""
        if self.mode != "pair":
            raise ValueError(f"an answer of the mode {self.mode} has no outcome")
        if not self.ranks:
            return SKIP
        if self.ranks[0] != self.ranks[1]:
            return FIRST if self.ranks[0] < self.ranks[1] else SECOND
        return TIE if self.good is None else BOTH_GOOD if self.good else BOTH_BAD

    def comparisons(self) -> list[Comparison]:
        """Which picture beats which. Weights sum to 1, or to nothing where all are equal.

        Of "best", only the best is compared with others; of "best and worst", those in between are not compared with
        each other.
        """
        levels = range(len(self.ranks))
        beaten = [(i, j) for i in levels for j in levels if self.ranks[i] < self.ranks[j]]
        return [Comparison(i, j, 1 / len(beaten)) for i, j in beaten]

    def ties(self) -> list[tuple[int, int]]:
        """Which pictures were said to be equal, i < j. Those that were not compared are not equal."""
        if self.mode not in ("pair", "ranking"):
            return []
        count = len(self.ranks)
        return [(i, j) for i in range(count) for j in range(i + 1, count) if self.ranks[i] == self.ranks[j]]

    def judgements(self, count: int) -> list[Judgement]:
        """What was said of each of `count` pictures by itself; nothing follows from an order alone."""
        return [] if self.good is None else [Judgement(number, self.good) for number in range(count)]

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `load` reads them; what says nothing is left out."""
        values: dict[str, Any] = {"mode": self.mode}
        if self.ranks:
            values["ranks"] = list(self.ranks)
        if self.good is not None:
            values["good"] = self.good
        return values

    @classmethod
    def load(cls, values: Any) -> Answer:
        """Build an answer from untrusted values. Raises BadInput."""
        if not isinstance(values, Mapping):
            raise BadInput(f"An answer is a JSON object, not {shown(values)}.")
        fields = cast("Mapping[str, Any]", values)
        if unknown := sorted(set(fields) - {"mode", "ranks", "good"}):
            raise BadInput(f"An answer has no {shown(unknown[0])}.")
        ranks, good = fields.get("ranks", []), fields.get("good")
        is_list = isinstance(ranks, list | tuple)
        if not is_list or not all(type(rank) is int for rank in cast("list[Any]", ranks)):
            raise BadInput(f"An answer's ranks are whole numbers, not {shown(ranks)}.", field="ranks")
        if good is not None and type(good) is not bool:
            raise BadInput(f"Pictures are good (true) or not (false), not {shown(good)}.", field="good")
        return cls(fields.get("mode", ""), tuple(ranks), good)


def _check_picture(number: int, count: int) -> None:
    if type(number) is not int or not 0 <= number < count:
        raise BadInput(f"There are pictures 0 to {count - 1}, and no picture {shown(number)}.", field="ranks")
