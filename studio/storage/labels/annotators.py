"""Annotators: who answers, and with which keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, insert, select, update

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.storage.database import Database
from studio.storage.schema import annotators
from studio.storage.unreadable import Reader, text

MAX_ALIAS_CHARS = 80
MAX_KEYS = 100
READ_AT_MOST = 1000


@dataclass(frozen=True)
class Annotator:
    """Somebody who answers.

    id: number.
    alias: the name they go by, unique.
    key_set: action -> key, those of their own; empty for the usual ones.
    created_at: UTC.
    """

    id: int
    alias: str
    key_set: dict[str, str]
    created_at: datetime


class Annotators:
    """The table of annotators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, alias: str) -> Annotator:
        """Give the annotator of that name, who is written down if new. Raises BadInput for what is no name."""
        name = checked_alias(alias)
        query = select(annotators).where(annotators.c.alias == name)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            with self._database.write() as connection:
                row = connection.execute(query).one_or_none()
                if row is None:
                    values = {"alias": name, "created_at": datetime.now(UTC).isoformat()}
                    connection.execute(insert(annotators).values(values))
                    row = connection.execute(query).one()
        return READER.one(row)

    def get(self, alias: str) -> Annotator:
        """Give the annotator of that name. Raises NotFound."""
        with self._database.read() as connection:
            return annotator_of(connection, alias)

    def list(self) -> list[Annotator]:
        """Give everybody, in the order they came."""
        with self._database.read() as connection:
            rows = connection.execute(select(annotators).order_by(annotators.c.id).limit(READ_AT_MOST)).all()
        return READER.many(rows)[0]

    def set_keys(self, alias: str, key_set: Mapping[str, str]) -> Annotator:
        """Keep somebody's own keys. Raises NotFound; BadInput for what is no mapping of short texts."""
        pairs: dict[Any, Any] = dict(key_set)
        texts = [text for pair in pairs.items() for text in pair]
        if len(pairs) > MAX_KEYS or not all(isinstance(text, str) and len(text) <= 40 for text in texts):
            raise BadInput(f"A key set has at most {MAX_KEYS} actions with a key each.", field="key_set")
        with self._database.write() as connection:
            annotator = annotator_of(connection, alias)
            values = {"key_set": json.dumps(pairs, sort_keys=True)}
            connection.execute(update(annotators).where(annotators.c.id == annotator.id).values(values))
            return annotator_of(connection, alias)


def annotator_of(connection: Connection, alias: str) -> Annotator:
    """Read one annotator within a transaction. Raises NotFound."""
    row = connection.execute(select(annotators).where(annotators.c.alias == alias)).one_or_none()
    if row is None:
        raise NotFound(f"There is no annotator {shown(alias)}.", "Choose a name first.", field="annotator")
    return READER.one(row)


def checked_alias(alias: Any) -> str:
    """Give an alias without spaces around it. Raises BadInput for what is none."""
    name = " ".join(alias.split()) if isinstance(alias, str) else ""
    if not name or len(name) > MAX_ALIAS_CHARS or not name.isprintable():
        message = f"An annotator's name must have 1 to {MAX_ALIAS_CHARS} printable characters, not {shown(alias)}."
        raise BadInput(message, field="annotator")
    return name


def _annotator(row: Row[Any]) -> Annotator:
    key_set = json.loads(text(row.key_set, "key set"))
    if not isinstance(key_set, dict):
        raise ValueError("its key set is not a JSON object")
    return Annotator(
        row.id,
        text(row.alias, "alias"),
        cast("dict[str, str]", key_set),
        datetime.fromisoformat(text(row.created_at, "time")),
    )


READER = Reader("Annotator", "workspace", "id", _annotator)
