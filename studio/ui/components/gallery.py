"""Past pictures, from the database, so a reload finds them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.ui.components.caption import prompt_of, summary
from studio.ui.markup import image, tag, text
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.generate import Generation

PAGE = 24
CLICK = """
element.addEventListener('click', (event) => {
  const picture = event.target.closest('[data-pick]');
  if (picture) trigger('pick', {id: Number(picture.dataset.pick)});
  const more = event.target.closest('[data-more]');
  if (more) trigger('more', {limit: Number(more.dataset.more)});
});
"""


def gallery_html(pictures: Sequence[Generation], total: int, search: str = "") -> str:
    """Thumbnails, newest first. total: how many there are in all; with more than are shown, a button asks for them."""
    if not pictures:
        told = f"No picture's prompt has “{search}” in it." if search else "Pictures you make are kept here."
        return tag("p", text(told), class_="empty-line")
    thumbs = "".join(
        tag(
            "button",
            image(address(p.id, p.sha256), prompt_of(p.recipe), loading="lazy", width=96, height=96),
            type="button",
            class_="thumb",
            data_pick=str(p.id),
            title=f"{prompt_of(p.recipe)}\n{summary(p.recipe)}",
        )
        for p in pictures
    )
    more = ""
    if total > len(pictures):
        more = tag("button", f"Show more ({total - len(pictures)} older)", type="button", class_="action quiet",
                   data_more=str(len(pictures) + 2 * PAGE))  # fmt: skip
    return tag("div", thumbs, class_="thumbs") + more
