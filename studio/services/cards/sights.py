"""The rows of pictures that a card shows, by their numbers in the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from studio.storage.generations import GenerationRecord


def numbered(rows: Sequence[Mapping[str, Any]], records: Sequence[GenerationRecord]) -> list[dict[str, Any]]:
    """Rows (Sight, as plain values) with "pictures": column -> number, None for a picture that is missing.

    records: the pictures of the job that drew them, each at its place.
    """
    numbers = {record.place: record.id for record in records}
    places = count()
    return [{**row, "pictures": {column: numbers.get(next(places)) for column in row["prompts"]}} for row in rows]


def row_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same for two rows of equal pictures."""
    return row["kind"], *sorted(row["prompts"].items()), row["seed"]


def pictures_in(card: Mapping[str, Any]) -> list[int]:
    """The numbers of the pictures that a card shows."""
    numbers = [number for sight in card["sights"] for number in sight["pictures"].values()]
    return [number for number in numbers if number is not None]
