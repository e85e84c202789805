"""The history: finding pictures again, marking them, deleting them and taking that back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.engine.events import FINAL, Event
from studio.storage.archive import Archive
from studio.storage.generations import GenerationRecord
from studio.storage.jobs import JobRecord
from studio.storage.search import HistoryFilter
from studio.storage.unreadable import Unreadable

MAX_PAGE = 1000
MAX_ID = 2**63 - 1  # what a column of the database holds
DRAWN = HistoryFilter()  # by people, and not in the bin
# Number of the last event of a job that a dead program left: above whatever was told of it before.
LATE = 2**31


@dataclass(frozen=True)
class Generation:
    """A picture of the history.

    image_path: its PNG, which holds the recipe too.
    sha256: of that file.
    deleted_at: since when it is in the bin, None for one that is not.
    """

    id: int
    image_path: Path
    sha256: str
    recipe: Recipe
    created_at: datetime
    made_by: dict[str, Any]
    job_id: str | None
    favourite: bool = False
    deleted_at: datetime | None = None
    origin: str = "prompt"


@dataclass(frozen=True)
class Purged:
    """What a purge removed: pictures of the bin, and image files that no picture of the history shows."""

    pictures: int
    files: int


class History:
    """The pictures of an archive. Every method may be called from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def newest(
        self,
        limit: int = 24,
        offset: int = 0,
        search: str = "",
        *,
        only: HistoryFilter = DRAWN,
        before_id: int | None = None,
    ) -> list[Generation]:
        """Give pictures, newest first.

        search: words that one of the two prompts must contain, in any case.
        only: further conditions.
        before_id: number of a picture; only older ones, at the same cost however far back.
        Raises BadInput for numbers out of range.
        """
        return self.page(limit, offset, search, only=only, before_id=before_id)[0]

    def page(
        self,
        limit: int = 24,
        offset: int = 0,
        search: str = "",
        *,
        only: HistoryFilter = DRAWN,
        before_id: int | None = None,
    ) -> tuple[list[Generation], list[Unreadable]]:
        """The same, and the rows among and right behind them that cannot be read: those do not count in `limit`."""
        if not _whole(limit, 1, MAX_PAGE) or not _whole(offset, 0, MAX_ID):
            message = f"A page of the gallery has 1 to {MAX_PAGE} pictures from 0 on"
            raise BadInput(f"{message}, not {shown(limit)} from {shown(offset)}.")
        if before_id is not None and not _whole(before_id, 0, MAX_ID):
            raise BadInput(f"A page goes on before a picture's number, not before {shown(before_id)}.", field="before")
        rows, unreadable = self._archive.generations.readable_page(limit, offset, search, only, before_id)
        return [self.shown(row) for row in rows], unreadable

    def count(self, search: str = "", only: HistoryFilter = DRAWN) -> int:
        """How many pictures `newest` can give in all."""
        return self._archive.generations.count(search, only)

    def get(self, id: int) -> Generation:
        """Give one picture, in the bin or not. Raises NotFound."""
        return self.shown(self._archive.generations.get(_checked(id)))

    def favourite(self, id: int, on: bool = True) -> None:
        """Mark a picture, or take the mark away. Raises NotFound."""
        self._archive.generations.favourite(_checked(id), bool(on))

    def delete(self, ids: Collection[int]) -> int:
        """Move pictures into the bin, all or none; give how many were not there yet. Raises NotFound, BadInput."""
        return self._archive.generations.set_deleted([_checked(id) for id in ids], True)

    def undelete(self, ids: Collection[int]) -> int:
        """Take pictures out of the bin again, all or none; give how many. Raises NotFound, BadInput."""
        return self._archive.generations.set_deleted([_checked(id) for id in ids], False)

    def purge(self) -> Purged:
        """Empty the bin for good, and remove image files that no picture of the history shows."""
        return Purged(*self._archive.purge())

    def events(self, job: JobRecord) -> list[Event]:
        """Tell a job of an earlier run as events: its pictures, without those discarded with it, and how it ended.

        They carry the numbers they had when they were told, so that a reader who comes again misses nothing.
        """
        events = [Event(1, job.id, "queued", {"ahead": 0})]
        for index, row in enumerate(self._archive.generations.of_job(job.id)):
            if row.deleted_at is not None and job.status == "cancelled":
                continue  # discarded with the job
            picture = self.shown(row)
            place = index if row.place is None else row.place
            data = {
                "image": place,
                "generation": picture.id,
                "path": str(picture.image_path),
                "sha256": picture.sha256,
                "recipe": picture.recipe.model_dump(mode="json"),
                "made_by": picture.made_by,
            }
            events.append(Event(index + 2 if row.seq is None else row.seq, job.id, "image", data))
        if job.status in FINAL:
            data = {"error": job.error} if job.error else {"images": len(events) - 1}
            events.append(Event(job.last_seq or LATE, job.id, job.status, data))  # type: ignore[arg-type]
        return events

    def shown(self, row: GenerationRecord) -> Generation:
        """Give a row of the table as a picture."""
        return Generation(
            id=row.id,
            image_path=self._archive.images.path(row.image),
            sha256=row.image,
            recipe=row.recipe,
            created_at=row.created_at,
            made_by=row.made_by,
            job_id=row.job,
            favourite=row.favourite,
            deleted_at=row.deleted_at,
            origin=row.origin,
        )


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _checked(id: Any) -> int:
    """Raise NotFound for what cannot be a picture's number: the database would stumble over it."""
    if not _whole(id, 1, MAX_ID):
        raise NotFound(f"There is no picture number {shown(id)} in the history.")
    return id
