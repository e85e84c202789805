"""What the history is asked for, and what can be done to its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.ui.components import days, gallery
from studio.ui.components.query import ANY_ORIGIN, PAGE, Query
from studio.ui.components.tiles import Batch, batches
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.unreadable import Unreadable

MOST_AT_ONCE = 480  # tiles on the page, and pictures read for them; from there on, it turns to older ones
MAX_SEARCH_CHARS = 200
NAMED = 5  # pictures that cannot be read
# (label, origin): what a picture was drawn for, in the words of the page.
ORIGIN_CHOICES = (
    ("What people drew", ""),
    ("The Prompt tab", "prompt"),
    ("The Guidance tab", "guidance"),
    ("Labelling", "campaign"),
    ("Previews of trainings", "preview"),
    ("Report cards", "card"),
    ("Comparisons", "comparison"),
    ("Everything", ANY_ORIGIN),
)


def query(search: Any, favourites: Any, in_bin: Any, model: Any, sampler: Any, chosen: Any, origin: Any = "") -> Query:
    """Read the controls. chosen: two days. Raises BadInput for a day or an origin that is none."""
    since, until = days.days(chosen)
    query = Query(
        search=str(search or "").strip()[:MAX_SEARCH_CHARS],
        favourites=bool(favourites),
        in_bin=bool(in_bin),
        model=str(model or ""),
        sampler=str(sampler or ""),
        since=since,
        until=until,
        origin=str(origin or ""),
    )
    query.conditions()
    return query


def more(query: Query, last: int) -> Query:
    """The same with more pictures; past MOST_AT_ONCE, those older than the last one shown."""
    if query.limit < MOST_AT_ONCE:
        return replace(query, limit=min(query.limit + 2 * PAGE, MOST_AT_ONCE))
    return replace(query, limit=PAGE, before_id=max(int(last), 0))


def past(studio: Studio, query: Query) -> str:
    """The gallery as HTML."""
    only = query.conditions()
    tiles, has_more, unreadable = tiles_of(studio, query)
    total = studio.history.count(query.search, only)
    return left_out_html(unreadable) + gallery.gallery_html(tiles, total, query, has_more)


def tiles_of(studio: Studio, query: Query) -> tuple[list[Batch], bool, list[Unreadable]]:
    """As many tiles as are asked for, whether there are more, and what cannot be read among them.

    Pictures of one job are one tile, so that a comparison or a sweep does not push all others out of sight; in the bin
    each is its own, for there one looks for single ones. Raises BadInput for a day that is none.
    """
    only, limit = query.conditions(), query.limit
    while True:
        page, unreadable = studio.history.page(limit + 1, search=query.search, only=only, before_id=query.before_id)
        pictures, has_more = page[:limit], len(page) > limit
        tiles = [Batch((picture,)) for picture in pictures] if query.in_bin else batches(pictures)
        # With one tile more than wanted, the last of those wanted is whole.
        if len(tiles) > query.limit or not has_more or limit >= MOST_AT_ONCE:
            return tiles[: query.limit], has_more or len(tiles) > query.limit, unreadable
        limit = min(2 * limit, MOST_AT_ONCE)


def left_out_html(unreadable: Sequence[Unreadable]) -> str:
    """What of this page of the history cannot be shown, by number and with the reason of the first; "" for nothing."""
    if not unreadable:
        return ""
    numbers = ", ".join(str(row.number) for row in unreadable[:NAMED])
    rest = f" and {len(unreadable) - NAMED} more" if len(unreadable) > NAMED else ""
    if len(unreadable) == 1:
        return alert(f"Picture {numbers} cannot be read and is left out: {unreadable[0].problem}.", kind="note")
    first = f"of the first, {unreadable[0].problem}"
    return alert(f"{len(unreadable)} pictures cannot be read and are left out, {numbers}{rest}: {first}.", kind="note")
