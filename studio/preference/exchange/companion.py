"""A second file beside one whose columns are given: what of the labels the columns have no place for.

One JSON object a line, one line a label, in the order of the rows: `label_values` and `rows`, how many rows it became.
The file beside it is complete without it, as other programs see it. Its name begins with a dot: the library datasets,
asked for a folder, takes every file of it that does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from studio.core.errors import BadInput
from studio.preference.exchange.incoming import RefusedRow
from studio.preference.exchange.json_files import lines
from studio.preference.exchange.label_json import label_of, label_values
from studio.preference.label import Label

ENDING = ".palimpsest"
_MAX_LINE = 1024 * 1024
_MAX_ROWS = 16 * 15 // 2  # pairs of the longest list


def companion_path(path: Path) -> Path:
    """Where the second file of a file is, whether or not it is there."""
    return path.with_name(f".{path.name}{ENDING}")


class CompanionWriter:
    """Writes a line for the rows of each label, which come one after another. file: None to write nothing."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self._label: Label | None = None
        self._rows = 0

    def count(self, label: Label) -> None:
        """Count a row of a label."""
        if self._label is not None and self._label.id == label.id:
            self._rows += 1
        else:
            self.end()
            self._label, self._rows = label, 1

    def end(self) -> None:
        """Write the line of the last label."""
        if self._file is not None and self._label is not None:
            values = {"rows": self._rows, **label_values(self._label)}
            self._file.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._label = None


class CompanionReader:
    """The labels of a second file, as long as it fits the rows.

    path: of the first file.
    remarks: where it is said if it fits no more.
    """

    def __init__(self, path: Path, remarks: list[str]) -> None:
        self._path = companion_path(path)
        self._remarks = remarks
        self._lines = _labels(self._path) if self._path.is_file() else iter(())
        self._current: tuple[Label, int] | None = None
        self.next()

    def label(self) -> tuple[Label | None, int]:
        """The label that the next rows belong to and how many they are; None for no more."""
        return self._current or (None, 0)

    def next(self) -> None:
        """Go on to the label after this."""
        try:
            self._current = next(self._lines, None)
        except BadInput as error:
            self._give_up(f"{self._path.name} cannot be read ({error.message})")

    def drop(self, row: int) -> None:
        """Forget the rest: a row does not fit."""
        self._give_up(f"{self._path.name} does not fit row {row}")

    def _give_up(self, reason: str) -> None:
        self._remarks.append(f"{reason}; from there on, labels are read as the columns say.")
        self._lines, self._current = iter(()), None


def _labels(path: Path) -> Iterator[tuple[Label, int]]:
    """Labels and how many rows each became. Raises BadInput with a clause at the first line that cannot be read."""
    for number, values in lines(path, _MAX_LINE):
        if isinstance(values, RefusedRow):
            raise BadInput(f"line {number}: {values.reason}")
        count = values.get("rows")
        if type(count) is not int or not 1 <= count <= _MAX_ROWS:
            raise BadInput(f"line {number}: its number of rows is no whole number from 1 to {_MAX_ROWS}")
        try:
            yield label_of(values), count
        except BadInput as error:
            raise BadInput(f"line {number}: {error.message}") from None
