"""A question as a page may show it: nothing in it says how its pictures were made, or why it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from studio.preference.answer import Answer, Mode, Question
from studio.storage.labels.leases import Lease


@dataclass(frozen=True)
class Assignment:
    """One question for one person.

    token: random; the page knows the question, and its pictures, by nothing else.
    prompt: what the pictures were to show.
    mode: how it is asked.
    questions: to be answered about it, in this order; fewer than the campaign's where some are.
    count: pictures.
    expires_at: until when nobody else is asked; an answer is accepted after that as well.
    is_flagged: whether somebody marked it for others to look at; such pictures are shown at a word.
    order: places of the item's pictures as they stand on the screen, from the left; for `answer_of_item`, not to be
    shown.
    """

    token: str
    prompt: str
    mode: Mode
    questions: tuple[Question, ...]
    count: int
    expires_at: datetime
    is_flagged: bool
    order: tuple[int, ...]

    @classmethod
    def of(cls, lease: Lease) -> Assignment:
        """What of a lease a page may know."""
        return cls(
            lease.token,
            lease.prompt,
            lease.mode,
            lease.questions,
            len(lease.images),
            lease.expires_at,
            lease.is_flagged,
            lease.order,
        )

    def answer_of_item(self, on_screen: Answer) -> Answer:
        """Give an answer about the pictures as they stand on the screen as one about them in the item's own order.

        on_screen: Answer.pair("first") means the left one, Answer.best(2, 4) the third from the left.
        """
        if len(on_screen.ranks) != len(self.order):
            return on_screen  # it ranks nothing, or is refused when it is sent
        ranks = dict(zip(self.order, on_screen.ranks, strict=True))
        return Answer(on_screen.mode, tuple(ranks[place] for place in range(len(ranks))), on_screen.good)
