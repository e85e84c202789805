"""A label: one answer with all that is known of it. What statistics, taste models, trainings and formats read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from studio.core.recipe import Recipe
from studio.preference.answer import Answer, Question

Purpose = Literal["train", "check", "repeat", "eval"]


@dataclass(frozen=True)
class Picture:
    """One picture that was judged.

    sha256: of its file.
    recipe: None where it was not made by this studio and its own file does not say.
    foreign: whether it was brought along: it does not say what the models here draw.
    width, height: in pixels; 0 where not known.
    model: what drew it, as far as known.
    """

    sha256: str
    recipe: Recipe | None = None
    foreign: bool = False
    width: int = 0
    height: int = 0
    model: str = ""


@dataclass(frozen=True)
class Label:
    """One answer about one item.

    id: given by whoever asked, unique; the same id again is the same label.
    item: number of what was asked.
    campaign: name of what it was asked for.
    annotator: who answered.
    prompt: what the pictures were to show.
    pictures: of the item, in its own order.
    question: what was asked of them.
    order: the item's pictures as they stood on the screen, from the left; empty where not known.
    answered_at: UTC.
    latency_ms: from both pictures painted to the answer; None where not known.
    confidence: 1 clear, .5 slight; None where not asked.
    purpose: train, check (attention), repeat (of an earlier item, sides swapped), eval (a blind test).
    chosen_by: how the item was chosen: "random", or the name of what chose it.
    is_blind: False where something of the pictures' making was shown before the answer.
    comment: what the annotator wrote.
    flagged: whether the annotator marked the item for somebody to look at.
    supersedes: id of the label that this one takes back or changes.
    is_withdrawn: whether it only takes back.
    """

    id: str
    item: int
    campaign: str
    annotator: str
    prompt: str
    pictures: tuple[Picture, ...]
    answer: Answer
    question: Question = "overall"
    order: tuple[int, ...] = ()
    answered_at: datetime | None = None
    latency_ms: float | None = None
    confidence: float | None = None
    purpose: Purpose = "train"
    chosen_by: str = "random"
    is_blind: bool = True
    comment: str = ""
    flagged: bool = False
    supersedes: str | None = None
    is_withdrawn: bool = False

    @property
    def weight(self) -> float:
        """What it counts: its confidence, 1 where none was asked."""
        return 1.0 if self.confidence is None else self.confidence

    @property
    def trainable(self) -> bool:
        """Whether it may be learned from: checks, repeats, tests, and what was not blind never are."""
        return self.is_blind and self._says_something

    @property
    def sighted(self) -> bool:
        """Whether it could be learned from, were it not that something of the pictures' making was in sight."""
        return not self.is_blind and self._says_something

    @property
    def _says_something(self) -> bool:
        return self.purpose == "train" and not self.is_withdrawn and not self.answer.skipped


def standing(labels: list[Label]) -> list[Label]:
    """Labels that hold: those that no other supersedes, without those that only take back. In the order given."""
    replaced = {label.supersedes for label in labels if label.supersedes is not None}
    return [label for label in labels if label.id not in replaced and not label.is_withdrawn]
