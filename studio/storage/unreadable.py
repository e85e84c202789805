"""Rows that cannot be read: each costs itself and nothing around it, and is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row

from studio.core.errors import BadInput, WorkspaceError

T = TypeVar("T")
# What reading a row raises: bad JSON or time, NULL or a number where text should be, a recipe of a newer program.
BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadInput)


@dataclass(frozen=True)
class Unreadable:
    """A row that cannot be read.

    number: by which the table counts it.
    problem: why, a clause.
    """

    number: int
    problem: str


@dataclass(frozen=True)
class Reader(Generic[T]):
    """Reads the rows of one table.

    subject: begins the sentence about a row, as "Picture".
    table: what the sentence calls the table, as "history".
    key: column of a row's number.
    read: makes a record of a row.
    """

    subject: str
    table: str
    key: str
    read: Callable[[Row[Any]], T]

    def one(self, row: Row[Any]) -> T:
        """Read a row. Raises WorkspaceError, naming it."""
        try:
            return self.read(row)
        except BROKEN as error:
            number = getattr(row, self.key)
            sentence = f"{self.subject} {number} of the {self.table} cannot be read: {problem(error)}."
            raise WorkspaceError(sentence, "The others are not affected.") from None

    def many(self, rows: Iterable[Row[Any]]) -> tuple[list[T], list[Unreadable]]:
        """Read rows, in their order, and name those that cannot be read."""
        records: list[T] = []
        unreadable: list[Unreadable] = []
        for row in rows:
            try:
                records.append(self.read(row))
            except BROKEN as error:
                unreadable.append(Unreadable(getattr(row, self.key), problem(error)))
        return records, unreadable


def problem(error: BaseException) -> str:
    """Why a row cannot be read, as a clause without its full stop."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    text = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    # A sentence of the recipe's: its hint is for whoever writes one.
    text = error.message if isinstance(error, BadInput) else text
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return printable[:200].rstrip(". ") or type(error).__name__


def text(value: Any, name: str) -> str:
    """Give a column's text. Raises ValueError for NULL, another type, or bytes that are no text."""
    if not isinstance(value, str):
        raise ValueError(f"its {name} is missing or no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"its {name} is not UTF-8") from None
    return value


def text_or_none(value: Any, name: str) -> str | None:
    """The same of a column that may hold NULL."""
    return None if value is None else text(value, name)


def number_or_none(value: Any, name: str) -> int | None:
    """Give a column's whole number, or None for NULL. Raises ValueError."""
    if value is not None and not isinstance(value, int):
        raise ValueError(f"its {name} is no whole number")
    return value
