"""What of the history is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.storage.search import ORIGINS, HistoryFilter

PAGE = 24  # pictures
ANY_ORIGIN = "any"


@dataclass(frozen=True)
class Query:
    """What of the history is shown.

    search: words.
    favourites: only those that are marked.
    in_bin: the deleted ones instead of the others.
    model, sampler: "" for any.
    origin: what it was drawn for, "" for what people drew, ANY_ORIGIN for everything.
    since, until: days as YYYY-MM-DD, both included, "" for any.
    limit: how many at once.
    before_id: only pictures with a lower number, None for all.
    """

    search: str = ""
    favourites: bool = False
    in_bin: bool = False
    model: str = ""
    sampler: str = ""
    since: str = ""
    until: str = ""
    origin: str = ""
    limit: int = PAGE
    before_id: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves any picture out, the deleted ones aside."""
        return replace(self, limit=PAGE, before_id=None) != Query(in_bin=self.in_bin)

    def conditions(self) -> HistoryFilter:
        """Raises BadInput for a day or an origin that is none."""
        until = _day(self.until)
        return HistoryFilter(
            favourites=self.favourites,
            deleted=self.in_bin,
            model=self.model or None,
            sampler=self.sampler or None,
            made_from=_day(self.since),
            made_until=until and until + timedelta(days=1),
            origins=ORIGINS if self.origin == ANY_ORIGIN else (self.origin,) if self.origin else None,
        )


def _day(typed: str) -> datetime | None:
    """Midnight at the beginning of a day, here."""
    if not typed:
        return None
    try:
        return datetime.combine(date.fromisoformat(typed[:10]), time()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"A day is written as 2026-01-31, not {shown(typed)}.", field="date") from None
