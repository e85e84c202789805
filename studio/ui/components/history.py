"""What the history is asked for, and what can be done to its pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.storage.search import HistoryFilter
from studio.ui.components import days, gallery
from studio.ui.components.gallery import PAGE

if TYPE_CHECKING:
    from studio.services.generate import Studio

MOST_AT_ONCE = 480  # pictures on the page; from there on, it turns to older ones
MAX_SEARCH_CHARS = 200


@dataclass(frozen=True)
class Query:
    """What of the history is shown. search: words. in_bin: the deleted ones instead of the others.

    model, sampler: "" for any. since, until: days as YYYY-MM-DD, both included, "" for any. limit: how many at once.
    before: only pictures with a lower number, None for all.
    """

    search: str = ""
    favourites: bool = False
    in_bin: bool = False
    model: str = ""
    sampler: str = ""
    since: str = ""
    until: str = ""
    limit: int = PAGE
    before: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves any picture out, the deleted ones aside."""
        return replace(self, limit=PAGE, before=None) != Query(in_bin=self.in_bin)

    def conditions(self) -> HistoryFilter:
        """Raises BadInput for a day that is none."""
        until = _day(self.until)
        return HistoryFilter(
            favourites=self.favourites,
            deleted=self.in_bin,
            model=self.model or None,
            sampler=self.sampler or None,
            made_from=_day(self.since),
            made_until=until and until + timedelta(days=1),
        )


def query(search: Any, favourites: Any, in_bin: Any, model: Any, sampler: Any, chosen: Any) -> Query:
    """Read the controls. chosen: two days. Raises BadInput for a day that is none."""
    since, until = days.days(chosen)
    found = Query(
        search=str(search or "").strip()[:MAX_SEARCH_CHARS],
        favourites=bool(favourites),
        in_bin=bool(in_bin),
        model=str(model or ""),
        sampler=str(sampler or ""),
        since=since,
        until=until,
    )
    found.conditions()
    return found


def more(asked: Query, last: int) -> Query:
    """The same with more pictures; past MOST_AT_ONCE, those older than the last one shown."""
    if asked.limit < MOST_AT_ONCE:
        return replace(asked, limit=min(asked.limit + 2 * PAGE, MOST_AT_ONCE))
    return replace(asked, limit=PAGE, before=max(int(last), 0))


def past(studio: Studio, asked: Query) -> str:
    """The gallery as HTML."""
    only = asked.conditions()
    found = studio.gallery(asked.limit + 1, search=asked.search, only=only, before=asked.before)
    pictures, has_more = found[: asked.limit], len(found) > asked.limit
    return gallery.gallery_html(pictures, studio.count(asked.search, only), asked, has_more)


def _day(typed: str) -> datetime | None:
    """Midnight at the beginning of a day, here."""
    if not typed:
        return None
    try:
        return datetime.combine(date.fromisoformat(typed[:10]), time()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"A day is written as 2026-01-31, not {shown(typed)}.", field="date") from None
