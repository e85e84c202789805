"""Pictures that were brought along: what is known of each, beside its file in the image store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from studio.core.errors import NotFound
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.schema import foreign_pictures, item_pictures
from studio.storage.unreadable import Reader, text


@dataclass(frozen=True)
class ForeignPicture:
    """One picture that no job here has made.

    image: sha256 of its file.
    width, height: in pixels.
    model: what drew it, "" where not known.
    recipe: where the file itself says how it was made.
    source: where it comes from, such as its file's name.
    facts: what else came with it, plain values.
    """

    image: str
    width: int
    height: int
    model: str = ""
    recipe: Recipe | None = None
    source: str = ""
    facts: Mapping[str, Any] | None = None


class ForeignPictures:
    """The table of pictures that were brought along."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, picture: ForeignPicture) -> None:
        """Write a picture down, whose file is stored. One that is there already stays as it is."""
        self.add_all([picture])

    def add_all(self, pictures: Sequence[ForeignPicture]) -> None:
        """Write several down, all or none."""
        if pictures:
            rows = [_row(picture) for picture in pictures]
            with self._database.write() as connection:
                connection.execute(insert_or_ignore(foreign_pictures).on_conflict_do_nothing(), rows)

    def get(self, image: str) -> ForeignPicture:
        """Give one by the sha256 of its file. Raises NotFound, WorkspaceError if it cannot be read."""
        with self._database.read() as connection:
            query = select(foreign_pictures).where(foreign_pictures.c.image == image)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"There is no picture {shown(image)} among those brought along.")
        return READER.one(row)

    def remove_unasked(self) -> int:
        """Remove those that no item asks about; give how many. Their files are the caller's."""
        items = select(item_pictures.c.foreign_image).where(item_pictures.c.foreign_image == foreign_pictures.c.image)
        with self._database.write() as connection:
            return connection.execute(delete(foreign_pictures).where(~items.exists())).rowcount

    def images(self) -> set[str]:
        """The sha256 of all of them: files that no purge removes."""
        with self._database.read() as connection:
            return set(connection.execute(select(foreign_pictures.c.image)).scalars())


def _row(picture: ForeignPicture) -> dict[str, Any]:
    return {
        "image": picture.image,
        "width": picture.width,
        "height": picture.height,
        "model": picture.model,
        "recipe": None if picture.recipe is None else picture.recipe.canonical_json(),
        "source": picture.source,
        "facts": json.dumps(dict(picture.facts or {}), sort_keys=True),
        "created_at": datetime.now(UTC).isoformat(),
    }


def _picture(row: Row[Any]) -> ForeignPicture:
    facts = json.loads(text(row.facts, "facts"))
    if not isinstance(facts, dict):
        raise ValueError("its facts are not a JSON object")
    recipe = None if row.recipe is None else Recipe.from_json(text(row.recipe, "recipe"))
    return ForeignPicture(
        image=text(row.image, "image"),
        width=int(row.width),
        height=int(row.height),
        model=text(row.model, "model"),
        recipe=recipe,
        source=text(row.source, "source"),
        facts=cast("dict[str, Any]", facts),
    )


READER = Reader("Picture", "workspace", "image", _picture)
