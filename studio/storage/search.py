"""What to look for in the history, as conditions on its table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import column

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.storage.schema import generations

MAX_SEARCH_CHARS = 1000
ORIGINS = ("prompt", "guidance", "campaign", "preview", "card", "comparison")  # what a picture is drawn for
DRAWN = ("prompt", "guidance")  # by people; the others are drawn to be measured, compared or labelled


@dataclass(frozen=True)
class HistoryFilter:
    """Which pictures; what is left out does not matter. All that is given must hold.

    favourites: only those marked.
    deleted: those in the bin, instead of all others.
    model, sampler, method (of guidance), seed: of the recipe.
    made_from, made_until: when it was made, the second excluded; with a time zone.
    origins: what it was drawn for; None is what people drew, and in the bin everything, for all of that is purged.
    Raises BadInput for a seed out of range, a time without its zone or an origin that is not known.
    """

    favourites: bool = False
    deleted: bool = False
    model: str | None = None
    sampler: str | None = None
    method: str | None = None
    seed: int | None = None
    made_from: datetime | None = None
    made_until: datetime | None = None
    origins: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        seed: Any = self.seed
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**64):
            message = f"The seed to look for must be a whole number from 0 to {2**64 - 1}, not {shown(seed)}."
            raise BadInput(message, field="seed")
        for name in ("made_from", "made_until"):
            time = getattr(self, name)
            if time is not None and (not isinstance(time, datetime) or time.tzinfo is None):
                raise BadInput(f"In the search, {name} must be a time with its zone, not {shown(time)}.", field=name)

        for origin in self.origins or ():
            check_origin(origin)


def check_origin(origin: Any) -> str:
    """Give an origin. Raises BadInput for one that is not known."""
    if origin not in ORIGINS:
        raise BadInput(f"A picture is drawn for {', '.join(ORIGINS)}, not for {shown(origin)}.", field="origin")
    return origin


def conditions(search: str, only: HistoryFilter) -> list[Any]:
    """Give the conditions of a WHERE.

    search: words, each of which one of the prompts must contain, in any case.
    Raises BadInput if the search is too long.
    """
    if len(search) > MAX_SEARCH_CHARS:
        raise BadInput(f"A search has at most {MAX_SEARCH_CHARS} characters, not {len(search)}.", field="search")
    columns = generations.c
    clauses: list[Any] = [columns.deleted_at.is_not(None) if only.deleted else columns.deleted_at.is_(None)]
    if only.favourites:
        clauses.append(columns.favourite)
    origins = only.origins or (ORIGINS if only.deleted else DRAWN)
    if len(origins) == 1:
        clauses.append(columns.origin == origins[0])
    elif set(origins) != set(ORIGINS):
        # With a plus no index serves it: most rows are of people, and a page is read in the order of the numbers.
        clauses.append(column("+generations.origin", is_literal=True).in_(origins))
    for name in ("model", "sampler", "method", "seed"):
        if (value := getattr(only, name)) is not None:
            clauses.append(columns[name] == str(value))
    # Both written in UTC by isoformat, so that their order is that of the text.
    if only.made_from is not None:
        clauses.append(columns.created_at >= only.made_from.astimezone(UTC).isoformat())
    if only.made_until is not None:
        clauses.append(columns.created_at < only.made_until.astimezone(UTC).isoformat())
    # With autoescape: a % in the search is a per cent sign.
    clauses += [columns.words.contains(word, autoescape=True) for word in search.casefold().split()]
    return clauses
