"""All pictures of a campaign, whatever is asked about them: what further pairs can be made of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from studio.storage.database import Database
from studio.storage.schema import foreign_pictures, generations, item_pictures, items, prompts


@dataclass(frozen=True)
class PoolPicture:
    """One picture.

    prompt: what it was to show, as annotators read it.
    sha256: of its file.
    reference: as `NewItem` names it.
    model: what drew it, "" where that is not known.
    is_foreign: whether it was brought along.
    """

    prompt: str
    sha256: str
    reference: int | str
    model: str
    is_foreign: bool


@dataclass(frozen=True)
class Pool:
    """pictures: each once for every prompt, in the order they came; items: the pictures of each item, by sha256."""

    pictures: tuple[PoolPicture, ...]
    items: tuple[frozenset[str], ...]


class Pools:
    """Reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: int) -> Pool:
        """What a campaign asks about; attention checks, one of whose pictures is spoilt, are left out."""
        columns = item_pictures.c
        joined = item_pictures.join(items, items.c.id == columns.item).join(prompts, prompts.c.id == items.c.prompt)
        joined = joined.outerjoin(generations, generations.c.id == columns.generation)
        joined = joined.outerjoin(foreign_pictures, foreign_pictures.c.image == columns.foreign_image)
        image = func.coalesce(generations.c.image, foreign_pictures.c.image).label("image")
        model = func.coalesce(generations.c.model, foreign_pictures.c.model).label("model")
        query = select(columns.item, columns.generation, columns.foreign_image, prompts.c.text, image, model)
        query = query.select_from(joined).where(items.c.campaign == campaign, items.c.purpose != "check")
        pictures: dict[tuple[str, str], PoolPicture] = {}
        by_item: dict[int, set[str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(columns.item, columns.place)):
                by_item.setdefault(row.item, set()).add(row.image)
                is_foreign = row.generation is None
                reference = row.foreign_image if is_foreign else row.generation
                key = (row.text, row.image)
                pictures.setdefault(key, PoolPicture(row.text, row.image, reference, row.model or "", is_foreign))
        return Pool(tuple(pictures.values()), tuple(frozenset(names) for names in by_item.values()))
