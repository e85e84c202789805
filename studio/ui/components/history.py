"""What the history is asked for, and what can be done to its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.storage.search import HistoryFilter
from studio.ui.components import days, gallery
from studio.ui.components.gallery import PAGE
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.unreadable import Unreadable

MOST_AT_ONCE = 480  # pictures on the page; from there on, it turns to older ones
MAX_SEARCH_CHARS = 200
NAMED = 5  # pictures that cannot be read


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
    page, unreadable = studio.history.page(asked.limit + 1, search=asked.search, only=only, before=asked.before)
    pictures, has_more = page[: asked.limit], len(page) > asked.limit
    return left_out_html(unreadable) + gallery.gallery_html(
        pictures, studio.history.count(asked.search, only), asked, has_more
    )


def left_out_html(unreadable: Sequence[Unreadable]) -> str:
    """What of this page of the history cannot be shown, by number and with the reason of the first; "" for nothing."""
    if not unreadable:
        return ""
    numbers = ", ".join(str(row.number) for row in unreadable[:NAMED])
    more = f" and {len(unreadable) - NAMED} more" if len(unreadable) > NAMED else ""
    if len(unreadable) == 1:
        return alert(f"Picture {numbers} cannot be read and is left out: {unreadable[0].problem}.", kind="note")
    first = f"of the first, {unreadable[0].problem}"
    return alert(f"{len(unreadable)} pictures cannot be read and are left out, {numbers}{more}: {first}.", kind="note")


def _day(typed: str) -> datetime | None:
    """Midnight at the beginning of a day, here."""
    if not typed:
        return None
    try:
        return datetime.combine(date.fromisoformat(typed[:10]), time()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"A day is written as 2026-01-31, not {shown(typed)}.", field="date") from None
