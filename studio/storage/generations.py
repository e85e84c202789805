"""Generations: every picture made, with the recipe that made it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.schema import generations


@dataclass(frozen=True)
class GenerationRecord:
    """One row. image: sha256 of its PNG file. made_by: model hash, versions, device. job: None if made outside one."""

    id: int
    job: str | None
    image: str
    recipe: Recipe
    made_by: dict[str, Any]
    created_at: datetime


class Generations:
    """The table of generations; newest first, by id, which never goes back whatever the clock does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, job: str | None, image: str, recipe: Recipe, made_by: dict[str, Any]) -> GenerationRecord:
        """Record a picture. It is on disk when this returns."""
        now = datetime.now(UTC)
        row = {
            "job": job,
            "image": image,
            "recipe": recipe.canonical_json(),
            "prompt": recipe.prompt,
            "negative_prompt": recipe.negative_prompt,
            "made_by": json.dumps(made_by, sort_keys=True),
            "created_at": now.isoformat(),
        }
        with self._database.write() as connection:
            key = connection.execute(insert(generations).values(row)).inserted_primary_key
        return GenerationRecord(int(key[0]) if key else 0, job, image, recipe, made_by, now)

    def page(self, limit: int, offset: int = 0, search: str = "") -> list[GenerationRecord]:
        """Give up to `limit` rows. search: words, all of which the prompt or negative prompt must contain."""
        query = select(generations).where(*_contains(search)).order_by(generations.c.id.desc())
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def count(self, search: str = "") -> int:
        """How many rows `page` could give in all."""
        query = select(func.count()).select_from(generations).where(*_contains(search))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def get(self, id: int) -> GenerationRecord:
        """Give one row. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(generations).where(generations.c.id == id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no picture number {id} in the history.")
        return _record(row)

    def of_job(self, job: str) -> list[GenerationRecord]:
        """Give the pictures of one job, in the order they were made."""
        query = select(generations).where(generations.c.job == job).order_by(generations.c.id)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def discard_job(self, job: str) -> list[str]:
        """Forget the pictures of a job. Gives the hashes of images that no other row shows."""
        with self._database.write() as connection:
            images = set(connection.execute(select(generations.c.image).where(generations.c.job == job)).scalars())
            connection.execute(delete(generations).where(generations.c.job == job))
            kept = connection.execute(select(generations.c.image).where(generations.c.image.in_(images))).scalars()
            return sorted(images - set(kept))


def _contains(search: str) -> list[Any]:
    """One condition per word. `contains` with autoescape: a % in the search is a per cent sign."""
    columns = generations.c.prompt, generations.c.negative_prompt
    return [
        columns[0].icontains(word, autoescape=True) | columns[1].icontains(word, autoescape=True)
        for word in search.split()
    ]


def _record(row: Row[Any]) -> GenerationRecord:
    return GenerationRecord(
        id=row.id,
        job=row.job,
        image=row.image,
        recipe=Recipe.from_json(row.recipe),
        made_by=json.loads(row.made_by),
        created_at=datetime.fromisoformat(row.created_at),
    )
