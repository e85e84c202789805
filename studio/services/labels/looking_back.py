"""Answers to be looked at again, with the pictures they are about: what somebody flagged, or wrote a comment on."""

from __future__ import annotations

from collections.abc import Collection

from studio.preference.label import Label
from studio.services.labels.checking import checked_number
from studio.storage.archive import Archive


class LookingBack:
    """Over a workspace. Every method may be called from any thread.

    Pictures are had by the token of the question they were asked in, as they stood (`LabelService.picture`).
    """

    def __init__(self, archive: Archive) -> None:
        self._store = archive.labels

    def marked(self, campaign: int, most: int = 50) -> list[tuple[Label, str]]:
        """Give labels that somebody flagged or commented, newest first, each with the token of its question.

        "" in its place where a label was not given here. Raises NotFound.
        """
        id = self._store.campaigns.get(checked_number(campaign, "campaign")).id
        tokens = self._store.reader.marked(id, most)
        return list(zip(self._store.reader.by_numbers(list(tokens)), tokens.values(), strict=True))

    def tokens(self, labels: Collection[Label]) -> dict[str, str]:
        """Id of each label that was given here -> token of its question."""
        return self._store.reader.tokens([label.id for label in labels])
