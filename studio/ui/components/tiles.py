"""Pictures of the history as small tiles, those of one job as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from studio.ui.components.caption import prompt_of, summary, together
from studio.ui.markup import image, tag, text
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.history import Generation


@dataclass(frozen=True)
class Batch:
    """Pictures that stand beside each other in the history and were made by one job; or one picture.

    pictures: newest first, at least one.
    """

    pictures: tuple[Generation, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """Their numbers, in the order in which they were made."""
        return tuple(picture.id for picture in reversed(self.pictures))


def batches(pictures: Sequence[Generation]) -> list[Batch]:
    """Pictures, newest first, as batches. What was made outside of a job is alone."""

    def job(picture: Generation) -> str:
        return picture.job_id or f"alone {picture.id}"

    return [Batch(tuple(group)) for _, group in groupby(pictures, key=job)]


def tiles_html(tiles: Sequence[Batch]) -> str:
    """A tile each."""
    return tag("div", "".join(map(_tile, tiles)), class_="thumbs")


def _tile(batch: Batch) -> str:
    """A button: of a picture, to show it; of several, to show all of them."""
    first, count = batch.pictures[-1], len(batch.pictures)
    prompt = prompt_of(first.recipe)
    starred = any(picture.favourite for picture in batch.pictures)
    star = tag("span", "★", class_="star", role="img", aria_label="favourite") if starred else ""
    alt = prompt if count == 1 else f"{count} pictures: {prompt}"
    face = image(address(first.id, first.sha256), alt, loading="lazy", width=96, height=96)
    about = summary(first.recipe) if count == 1 else together([picture.recipe for picture in reversed(batch.pictures)])
    ids = ",".join(map(str, batch.ids))
    click = {"data_pick": str(first.id)} if count == 1 else {"data_all": ids}
    badge = tag("span", text(count), class_="count", aria_hidden="true") if count > 1 else ""
    return tag(
        "button",
        face + star + badge,
        type="button",
        class_="thumb" + " stack" * (count > 1),
        data_ids=ids,
        title=f"{prompt}\n{about}",
        **click,
    )
