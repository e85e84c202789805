"""Pictures of the history as small tiles: those of one job as one, and one picture drawn again and again as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from studio.core.recipe import GuidanceSpec, Recipe
from studio.ui.components.caption import prompt_of, summary, together
from studio.ui.markup import image, tag, text
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.history import Generation

Subject = tuple[tuple[str, Recipe], ...]

# By what a picture is drawn for: what of its recipe changes while it is drawn again and again.
_CHANGING: dict[str, dict[str, Any]] = {
    "prompt": {"edits": ()},
    "guidance": {"edits": (), "guidance": GuidanceSpec()},
}


@dataclass(frozen=True)
class Batch:
    """Pictures that stand beside each other in the history and belong together; or one picture.

    pictures: newest first, at least one.
    redrawn: the newer ones take the place of those before them, as while a strength is tried out.
    """

    pictures: tuple[Generation, ...]
    redrawn: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        """Their numbers, in the order in which they were made."""
        return tuple(picture.id for picture in reversed(self.pictures))


def batches(pictures: Sequence[Generation]) -> list[Batch]:
    """Pictures, newest first, as batches. What was made outside of a job is alone.

    Jobs that follow each other are one where each draws the picture before it again: with other edits, on the Guidance
    tab also by another rule. Neither tab says so to the engine, for it is told by the recipes, of older pictures too.
    """

    def job(picture: Generation) -> str:
        return picture.job_id or f"alone {picture.id}"

    batches: list[Batch] = []
    newer_subject: Subject = ()
    for _, group in groupby(pictures, key=job):
        of_job = tuple(group)
        subject = _subject(of_job)
        newer = batches[-1].pictures if batches and subject == newer_subject != () else of_job
        if newer[-1].recipe != of_job[-1].recipe:  # the same once more is what Generate was pressed for
            batches[-1] = Batch((*newer, *of_job), redrawn=True)
        else:
            batches.append(Batch(of_job))
        newer_subject = subject
    return batches


def _subject(pictures: Sequence[Generation]) -> Subject:
    """What a job of one picture, or of one row of the Guidance tab, goes on drawing while one tries it out.

    The recipes of its pictures without what changes; () for any other job: of several pictures that are compared.
    """
    origin, rules = pictures[0].origin, {(picture.recipe.guidance, picture.recipe.edits) for picture in pictures}
    if origin not in _CHANGING or len(rules) > 1 or (origin == "prompt" and len(pictures) > 1):
        return ()
    return tuple((origin, picture.recipe.model_copy(update=_CHANGING[origin])) for picture in pictures)


def tiles_html(tiles: Sequence[Batch]) -> str:
    """A tile each."""
    return tag("div", "".join(map(_tile, tiles)), class_="thumbs")


def _tile(batch: Batch) -> str:
    """A button: of a picture, to show it; of several, to show all of them. Its face is the first of a job, and of a
    picture that was drawn again the last.
    """
    face_picture, count = batch.pictures[0 if batch.redrawn else -1], len(batch.pictures)
    prompt = prompt_of(face_picture.recipe)
    starred = any(picture.favourite for picture in batch.pictures)
    star = tag("span", "★", class_="star", role="img", aria_label="favourite") if starred else ""
    alt = prompt if count == 1 else f"{count} pictures: {prompt}"
    face = image(address(face_picture.id, face_picture.sha256), alt, loading="lazy", width=96, height=96)
    recipes = [picture.recipe for picture in reversed(batch.pictures)]
    about = summary(face_picture.recipe) if count == 1 else together(recipes)
    ids = ",".join(map(str, batch.ids))
    click = {"data_pick": str(face_picture.id)} if count == 1 else {"data_all": ids}
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
