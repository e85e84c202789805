"""Which unfinished job draws a recipe, and why the last one that was to draw it did not: read off the ledger.

Nothing is written down for it. What is missing of a comparison follows from the history and the queue alone, whenever
the program was killed, and however a job came to draw what a cell shows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from studio.core.errors import StudioError
from studio.core.recipe import Recipe
from studio.services.jobs import JobService
from studio.services.pictures import KIND
from studio.storage.jobs import JobRecord
from studio.storage.unreadable import BROKEN

LOOKED_AT = 20  # newest jobs of the ledger, among which those that ended early are sought
_REMEMBERED = 64  # jobs whose recipes are at hand; a job's never change
_REASONS = {"cancelled": "Drawing was stopped.", "interrupted": "The studio was closed before it was drawn."}


@dataclass(frozen=True)
class Place:
    """Where a picture is drawn: the job's id, and its place in that from 0."""

    job: str
    place: int


class UnderWay:
    """The jobs of an open studio, by what they draw. Every method may be called from any thread."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._recipes: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._lock = threading.Lock()

    def places(self, texts: Collection[str]) -> dict[str, Place]:
        """Canonical JSON of a recipe -> where an unfinished job draws it; those that none draws are left out."""
        sought_texts = set(texts)
        places: dict[str, Place] = {}
        for job in self._jobs.unfinished():
            if job.kind == KIND:
                places |= {
                    text: Place(job.id, place)
                    for text, place in self._drawn_by(job).items()
                    if text in sought_texts and text not in places
                }
        return places

    def troubles(self, texts: Collection[str]) -> dict[str, str]:
        """Canonical JSON of a recipe -> why the newest job that was to draw it did not; of the newest jobs alone."""
        left = set(texts)
        troubles: dict[str, str] = {}
        for job in self._jobs.newest(LOOKED_AT) if left else []:
            if job.kind == KIND and job.over:
                mine = left & self._drawn_by(job).keys()
                left -= mine
                reason = job.error or _REASONS.get(job.status, "")
                troubles |= {text: reason for text in mine if reason}
        return troubles

    def _drawn_by(self, job: JobRecord) -> dict[str, int]:
        """Canonical JSON of each recipe of a job -> its place; {} of one that cannot be read."""
        with self._lock:
            if job.id in self._recipes:
                self._recipes.move_to_end(job.id)
                return self._recipes[job.id]
        try:
            recipes: list[dict[str, Any]] = job.payload["recipes"]
            places = {Recipe.load(values).canonical_json(): place for place, values in enumerate(recipes)}
        except (StudioError, *BROKEN):
            places = {}
        with self._lock:
            self._recipes[job.id] = places
            while len(self._recipes) > _REMEMBERED:
                self._recipes.popitem(last=False)
        return places
