"""Past pictures, from the database, so a reload finds them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.ui.components.caption import prompt_of, summary
from studio.ui.components.query import PAGE as PAGE
from studio.ui.components.query import Query
from studio.ui.markup import image, tag, text
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.history import Generation

CLICK = """
element.addEventListener('click', (event) => {
  const picture = event.target.closest('[data-pick]');
  if (picture) trigger('pick', {id: Number(picture.dataset.pick)});
  const more = event.target.closest('[data-more]');
  if (more) trigger('more', {last: Number(more.dataset.more)});
  if (event.target.closest('[data-newest]')) trigger('newest', {});
  const purge = event.target.closest('[data-purge]');
  if (purge) trigger('purge', {sure: purge.dataset.purge === 'sure'});
});
"""


def gallery_html(
    pictures: Sequence[Generation], total: int, asked: Query, has_more: bool = False, sure: bool = False
) -> str:
    """Thumbnails, newest first. total: how many there are in all. sure: whether to ask before the bin is emptied."""
    parts: list[str] = []
    if asked.in_bin:
        parts.append(_bin(total, sure))
    if not pictures:
        parts.append(tag("p", text(_nothing(asked)), class_="empty-line"))
        return "".join(parts)
    if asked.is_narrow or asked.in_bin:
        parts.append(tag("p", f"{total} picture{'s' * (total != 1)}", class_="empty-line found", role="status"))
    if asked.before is not None:
        parts.append(_button("Back to the newest", data_newest=True))
    parts.append(tag("div", "".join(map(_thumb, pictures)), class_="thumbs"))
    if has_more:
        parts.append(_button("Show more", data_more=str(pictures[-1].id)))
    return "".join(parts)


def _thumb(picture: Generation) -> str:
    said = prompt_of(picture.recipe)
    star = tag("span", "★", class_="star", role="img", aria_label="favourite") if picture.favourite else ""
    shown = image(address(picture.id, picture.sha256), said, loading="lazy", width=96, height=96)
    return tag("button", shown + star, type="button", class_="thumb", data_pick=str(picture.id),
               title=f"{said}\n{summary(picture.recipe)}")  # fmt: skip


def _nothing(asked: Query) -> str:
    if asked.in_bin and not asked.is_narrow:
        return "The bin is empty."
    if asked.search and asked.search and not (asked.favourites or asked.model or asked.sampler):
        return f"No picture's prompt has “{asked.search}” in it."
    return "No picture is like that." if asked.is_narrow else "Pictures you make are kept here."


def _bin(total: int, sure: bool) -> str:
    if not total:
        return ""
    if not sure:
        return tag("p", "Deleted pictures wait here until the bin is emptied. "
                   + _button("Empty the bin", data_purge="ask"), class_="bin")  # fmt: skip
    count = f"{total} picture{'s' * (total != 1)}"
    return tag("p", f"{count} and their files will be gone for good. "
               + _button("Yes, empty the bin", data_purge="sure") + _button("Keep them", data_newest=True),
               class_="bin", role="alert")  # fmt: skip


def _button(label: str, **data: str | bool) -> str:
    return tag("button", label, type="button", class_="action quiet", **data)
