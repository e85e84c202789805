"""Generations: every picture made, with the recipe that made it."""

from __future__ import annotations

import json
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.schema import generations, grid_cells, picture_holds
from studio.storage.search import ORIGINS, HistoryFilter, check_origin, conditions
from studio.storage.unreadable import Reader, Unreadable, number_or_none, text, text_or_none

EVERYTHING = HistoryFilter(origins=ORIGINS)
MAX_AT_ONCE = 1000  # pictures of one request to delete
MAX_UNREADABLE = 1000  # rows of one page passed over


@dataclass(frozen=True)
class GenerationRecord:
    """One row.

    image: sha256 of its PNG file.
    made_by: model hash, versions, device.
    job: None if made outside one; else place is that of its recipe in the job, from 0, and seq the number of the event
    that told of it (both None in rows of the first version).
    deleted_at: since when it is in the bin.
    origin: what it was drawn for.
    """

    id: int
    job: str | None
    image: str
    recipe: Recipe
    made_by: dict[str, Any]
    created_at: datetime
    place: int | None = None
    seq: int | None = None
    favourite: bool = False
    deleted_at: datetime | None = None
    origin: str = "prompt"


class Generations:
    """The table of generations; newest first, by id, which never goes back whatever the clock does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        job: str | None,
        image: str,
        recipe: Recipe,
        made_by: dict[str, Any],
        place: int | None = None,
        seq: int | None = None,
        origin: str = "prompt",
    ) -> GenerationRecord:
        """Record a picture. It is on disk when this returns. Raises BadInput for an origin that is not known."""
        created_at = datetime.now(UTC)
        row = {
            "job": job,
            "image": image,
            "recipe": recipe.canonical_json(),
            "prompt": recipe.prompt,
            "negative_prompt": recipe.negative_prompt,
            "made_by": json.dumps(made_by, sort_keys=True),
            "created_at": created_at.isoformat(),
            "place": place,
            "seq": seq,
            "words": words(recipe),
            "model": recipe.model,
            "sampler": recipe.sampler,
            "method": recipe.guidance.method,
            "seed": str(recipe.seed),
            "origin": check_origin(origin),
        }
        with self._database.write() as connection:
            key = connection.execute(insert(generations).values(row)).inserted_primary_key
        return GenerationRecord(
            int(key[0]) if key else 0, job, image, recipe, made_by, created_at, place, seq, origin=origin
        )

    def page(
        self,
        limit: int,
        offset: int = 0,
        search: str = "",
        only: HistoryFilter = EVERYTHING,
        before_id: int | None = None,
    ) -> list[GenerationRecord]:
        """Give up to `limit` rows, newest first.

        before_id: only those with a lower id, which costs the same however deep they lie.
        """
        return self.readable_page(limit, offset, search, only, before_id)[0]

    def readable_page(
        self,
        limit: int,
        offset: int = 0,
        search: str = "",
        only: HistoryFilter = EVERYTHING,
        before_id: int | None = None,
    ) -> tuple[list[GenerationRecord], list[Unreadable]]:
        """The same, and the rows among and right behind them that cannot be read. These do not count towards the limit,
        so that fewer rows than that are the last ones.
        """
        query = select(generations).where(*conditions(search, only)).order_by(generations.c.id.desc())
        records: list[GenerationRecord] = []
        unreadable: list[Unreadable] = []
        with self._database.read() as connection:
            while len(unreadable) < MAX_UNREADABLE:
                batch_size = limit - len(records) + len(unreadable)  # what failed so far may go on failing
                part = query if before_id is None else query.where(generations.c.id < before_id)
                rows = connection.execute(part.limit(batch_size).offset(offset)).all()
                readable, broken = READER.many(rows)
                records += readable
                unreadable += broken
                if not broken or len(rows) < batch_size:
                    break
                before_id, offset = rows[-1].id, 0
        return records[:limit], unreadable

    def count(self, search: str = "", only: HistoryFilter = EVERYTHING) -> int:
        """How many rows `page` could give in all."""
        query = select(func.count()).select_from(generations).where(*conditions(search, only))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def get(self, id: int) -> GenerationRecord:
        """Give one row, in the bin or not. Raises NotFound, WorkspaceError if it cannot be read."""
        with self._database.read() as connection:
            row = connection.execute(select(generations).where(generations.c.id == id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no picture number {id} in the history.")
        return READER.one(row)

    def of_image(self, sha256: str) -> int | None:
        """The number of a picture whose file that is, the newest that is not in the bin; None where there is none."""
        columns = generations.c
        query = select(columns.id).where(columns.image == sha256, columns.deleted_at.is_(None))
        with self._database.read() as connection:
            return connection.execute(query.order_by(columns.id.desc()).limit(1)).scalar_one_or_none()

    def of_recipes(self, recipes: Collection[Recipe]) -> dict[Recipe, GenerationRecord]:
        """The newest picture of each of these very recipes that is not in the bin; those without one are left out.

        By their whole text: a recipe that leaves unsaid what another says is another, whatever both draw.
        """
        texts = {recipe.canonical_json(): recipe for recipe in recipes}
        columns = generations.c
        query = (
            select(generations)
            # By the seed, for which there is an index; of equal recipes it is equal.
            .where(columns.seed.in_({str(recipe.seed) for recipe in recipes}), columns.recipe.in_(list(texts)))
            .where(columns.deleted_at.is_(None))
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all() if texts else []
        readable, _ = READER.many(rows)
        return {texts[record.recipe.canonical_json()]: record for record in readable}

    def of_job(self, job: str) -> list[GenerationRecord]:
        """Give the pictures of one job, in the order they were made; those in the bin as well, unreadable ones not."""
        query = select(generations).where(generations.c.job == job).order_by(generations.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return READER.many(rows)[0]

    def numbers_of_job(self, job: str) -> list[int]:
        """Their ids alone, which cost next to nothing: a page asks again and again."""
        query = select(generations.c.id).where(generations.c.job == job).order_by(generations.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def of_images(self, images: Collection[str]) -> dict[str, int]:
        """Hash of an image -> number of its newest picture, of those that are in the history; in the bin or not."""
        query = select(generations.c.image, func.max(generations.c.id)).where(generations.c.image.in_(set(images)))
        with self._database.read() as connection:
            return {image: id for image, id in connection.execute(query.group_by(generations.c.image))}

    def drawn_by(self, model: str, images: Collection[str]) -> dict[str, str]:
        """Of these images, those that a model of that name drew -> hash of its weights then, "" where nothing says."""
        columns = generations.c
        query = select(columns.image, columns.made_by).where(columns.image.in_(set(images)), columns.model == model)
        with self._database.read() as connection:
            return {image: _model_hash(made_by) for image, made_by in connection.execute(query)}

    def favourite(self, id: int, on: bool) -> None:
        """Mark a picture, or take the mark away. Raises NotFound."""
        with self._database.write() as connection:
            query = update(generations).where(generations.c.id == id).values(favourite=on)
            if not connection.execute(query).rowcount:
                raise NotFound(f"There is no picture number {id} in the history.")

    def set_deleted(self, ids: Collection[int], deleted: bool) -> int:
        """Move pictures into the bin, or out of it. Gives how many were moved: those there already are not counted.

        All or none: raises NotFound if one of them is not in the history, BadInput for too many.
        """
        distinct_ids = set(ids)
        if len(distinct_ids) > MAX_AT_ONCE:
            raise BadInput(f"At most {MAX_AT_ONCE} pictures are deleted or restored at once, not {len(distinct_ids)}.")
        columns = generations.c
        with self._database.write() as connection:
            present_ids = set(connection.execute(select(columns.id).where(columns.id.in_(distinct_ids))).scalars())
            if missing := sorted(distinct_ids - present_ids):
                raise NotFound(f"There is no picture number {missing[0]} in the history.")
            condition = columns.deleted_at.is_(None) if deleted else columns.deleted_at.is_not(None)
            values = {"deleted_at": datetime.now(UTC).isoformat() if deleted else None}
            return connection.execute(
                update(generations).where(columns.id.in_(distinct_ids), condition).values(values)
            ).rowcount

    def discard_job(self, job: str) -> int:
        """Move the pictures of a job into the bin, and free the cells of a grid that they filled. Gives how many."""
        columns = generations.c
        bin = update(generations).where(columns.job == job, columns.deleted_at.is_(None))
        with self._database.write() as connection:
            connection.execute(update(grid_cells).where(grid_cells.c.job == job).values(place=None))
            return connection.execute(bin.values(deleted_at=datetime.now(UTC).isoformat())).rowcount

    def hold(self, ids: Collection[int], holder: str) -> None:
        """Keep pictures from being purged for as long as something refers to them. Twice is once.

        holder: what refers to them, such as "training:<run>". All or none: raises NotFound if one is not there.
        """
        distinct_ids = sorted(set(ids))
        rows = [{"generation": id, "holder": holder} for id in distinct_ids]
        with self._database.write() as connection:
            present_ids = set(
                connection.execute(select(generations.c.id).where(generations.c.id.in_(distinct_ids))).scalars()
            )
            if missing := [id for id in distinct_ids if id not in present_ids]:
                raise NotFound(f"There is no picture number {missing[0]} in the history.")
            if rows:
                connection.execute(insert_or_ignore(picture_holds).on_conflict_do_nothing(), rows)

    def release(self, holder: str, but: Collection[int] = ()) -> int:
        """Nothing under this name refers to any picture any more, but to these. Gives how many it held."""
        ended = delete(picture_holds).where(picture_holds.c.holder == holder)
        with self._database.write() as connection:
            return connection.execute(ended.where(picture_holds.c.generation.not_in(set(but)))).rowcount

    def empty_bin(self) -> int:
        """Forget the pictures in the bin for good, but for those that something refers to; give how many went.

        Their files are not looked at.
        """
        in_bin, held_ids = generations.c.deleted_at.is_not(None), select(picture_holds.c.generation)
        with self._database.write() as connection:
            return connection.execute(delete(generations).where(in_bin, generations.c.id.not_in(held_ids))).rowcount

    def images(self) -> set[str]:
        """Hashes of all images that some row shows."""
        with self._database.read() as connection:
            return set(connection.execute(select(generations.c.image).distinct()).scalars())


def words(recipe: Recipe) -> str:
    """What a search for words looks through: every prompt, in one case."""
    negatives = [negative.prompt for negative in recipe.more_negatives]
    return "\n".join([recipe.prompt, recipe.negative_prompt, *negatives]).casefold()


def _record(row: Row[Any]) -> GenerationRecord:
    """Read a row. Raises what `unreadable.BROKEN` names."""
    image = text(row.image, "image")
    if not set(image) <= set(string.hexdigits):  # it becomes part of a path
        raise ValueError("its image is no hash")
    made_by = json.loads(text(row.made_by, "origin"))
    if not isinstance(made_by, dict):
        raise ValueError("its origin is not a JSON object")
    json.dumps(made_by, ensure_ascii=False).encode()  # half a letter in it could be told to nobody
    return GenerationRecord(
        id=row.id,
        job=text_or_none(row.job, "job"),
        image=image,
        recipe=Recipe.from_json(text(row.recipe, "recipe")),
        made_by=made_by,
        created_at=datetime.fromisoformat(text(row.created_at, "time")),
        place=number_or_none(row.place, "place"),
        seq=number_or_none(row.seq, "event"),
        favourite=bool(row.favourite),
        deleted_at=datetime.fromisoformat(text(row.deleted_at, "time")) if row.deleted_at else None,
        origin=text(row.origin, "origin"),
    )


READER = Reader("Picture", "history", "id", _record)


def _model_hash(made_by: str) -> str:
    """As a picture's record has it; "" where it has none, or is damaged."""
    try:
        values = json.loads(made_by)
        return str(values["model_hash"])
    except (ValueError, TypeError, KeyError):
        return ""
