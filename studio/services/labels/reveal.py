"""What the pictures of a question were, for whoever has answered it: in words, and no more than tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

from studio.preference.answer import Question
from studio.preference.label import Label
from studio.services.edits.library import EditLibrary
from studio.services.labels.checking import checked_name, checked_number, checked_token
from studio.services.labels.making import differing, facts_of
from studio.storage.archive import Archive

MOST = 100  # questions told at the end, the newest


@dataclass(frozen=True)
class Making:
    """What one picture was.

    facts: (name, value) of what tells it from the others beside it; of a single picture, or of equal ones, of all.
    verdict: what was said of it: preferred, equal, good, bad, worst; "" for nothing.
    """

    facts: tuple[tuple[str, str], ...]
    verdict: str


@dataclass(frozen=True)
class Revealed:
    """One question with what its pictures were.

    token: by which its pictures are known to the page.
    prompt: what they were to show.
    pictures: as they stood on the screen, from the left.
    """

    token: str
    question: Question
    prompt: str
    pictures: tuple[Making, ...]


class RevealService:
    """Tells it in campaigns that do (`CampaignPlan.reveal`). Every method may be called from any thread."""

    def __init__(self, archive: Archive, edits: EditLibrary) -> None:
        self._store = archive.labels
        self._edits = edits

    def after(self, token: str) -> list[Revealed]:
        """What was just answered: one for each question about it. Raises NotFound; BadInput before it is answered."""
        numbers = self._store.reveals.of_question(checked_token(token))
        return [self._revealed(token, label) for label in self._store.reader.by_numbers(numbers)]

    def at_the_end(self, campaign: int, annotator: str) -> list[Revealed]:
        """All that somebody has answered, the newest MOST, oldest first; what they answer from then on is not blind.

        Raises NotFound; BadInput while something is left to ask them.
        """
        tokens = self._store.reveals.of_everything(checked_number(campaign, "campaign"), checked_name(annotator), MOST)
        labels = self._store.reader.by_numbers(list(tokens))
        return [self._revealed(token, label) for token, label in zip(tokens.values(), labels, strict=True)]

    def _revealed(self, token: str, label: Label) -> Revealed:
        facts = differing([facts_of(picture, label.prompt, self._edits) for picture in label.pictures])
        order = label.order or tuple(range(len(label.pictures)))
        makings = tuple(Making(tuple(facts[place].items()), _verdict(label, place)) for place in order)
        return Revealed(token, label.question, label.prompt, makings)


def _verdict(label: Label, place: int) -> str:
    answer = label.answer
    if answer.good is not None:
        return "good" if answer.good else "bad"
    if not answer.ranks:
        return ""
    if len(set(answer.ranks)) == 1:
        return "equal"
    rank = answer.ranks[place]
    if answer.mode == "ranking" and len(answer.ranks) > 2:
        return f"rank {rank}"
    return "preferred" if rank == 1 else "worst" if answer.mode == "best_worst" and rank == max(answer.ranks) else ""
