"""JSON files of any size, read a row at a time: a list of objects, or an object on each line.

A list is read without being held: only the object that is being read is, up to a limit.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from studio.core.bounded_json import loads, without_repeats
from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.exchange.incoming import RefusedRow

MAX_ROW_BYTES = 16 * 1024 * 1024  # of one object of a list
MAX_LINE_BYTES = 2 * 16 * 64 * 1024 * 1024  # of a line with 16 pictures in base64
MAX_VALUES = 100_000  # of one row
_CHUNK = 64 * 1024
_SPACE = " \t\r\n"

Fields = Mapping[str, Any]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to read. Raises BadInput if it cannot be."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror or error}.") from None


def lines(path: Path, most: int = MAX_LINE_BYTES) -> Iterator[tuple[int, Fields | RefusedRow]]:
    """Row and object of each line that is not empty, or why there is none.

    Raises BadInput if the file cannot be read.
    """
    with opened(path) as file:
        row = 0
        while line := file.readline(most + 1):
            if len(line) > most:
                raise BadInput(f"{path.name} has a line of more than {most // 1024**2} MB, and is read no further.")
            if not line.strip():
                continue
            row += 1
            try:
                yield row, as_fields(loads(line, MAX_VALUES, pairs_hook=without_repeats))
            except (ValueError, RecursionError) as error:
                yield row, RefusedRow(row, f"it is no JSON: {_short(error)}")
            except BadInput as error:
                yield row, RefusedRow(row, error.message)


def items(path: Path) -> Iterator[tuple[int, Fields | RefusedRow]]:
    """Row and object of each entry of a JSON list, or why there is none.

    Raises BadInput if the file cannot be read or is no list; also in the middle, where what follows cannot be found.
    """
    with opened(path) as file:
        window = _Window(path.name, file)
        if window.next_sign() != "[":
            raise BadInput(f"{path.name} is no JSON list.")
        window.skip()
        row = 0
        while (sign := window.next_sign()) != "]":
            if row:
                if sign != ",":
                    raise BadInput(f"{path.name} is no JSON after entry {row}, and is read no further.")
                window.skip()
            row += 1
            value = window.value(row)
            try:
                yield row, as_fields(value)
            except BadInput as error:
                yield row, RefusedRow(row, error.message)


def as_fields(value: object) -> Fields:
    """A JSON object. Raises BadInput with a clause."""
    if not isinstance(value, dict):
        raise BadInput(f"it is {shown(value)}, no JSON object")
    return cast("dict[str, Any]", value)


def as_list(value: object, name: str, most: int = 1000) -> list[Any]:
    """A JSON list. Raises BadInput with a clause."""
    if not isinstance(value, list) or len(cast("list[Any]", value)) > most:
        raise BadInput(f"its {name} is {shown(value)}, no list of at most {most}")
    return cast("list[Any]", value)


class ListWriter:
    """Writes a JSON list, an entry a line. Open it with `writing_list`."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._separator = "[\n"

    def add(self, value: object) -> None:
        """Write an entry."""
        self._file.write(f"{self._separator}{one_line(value)}")
        self._separator = ",\n"

    def end(self) -> None:
        """Close the list."""
        self._file.write("[]\n" if self._separator == "[\n" else "\n]\n")


@contextmanager
def writing_list(path: Path) -> Iterator[ListWriter]:
    """A JSON file of a list to write."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        writer = ListWriter(file)
        yield writer
        writer.end()


def one_line(value: object) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


class _Window:
    """The part of a text that is being read."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._is_over = False

    def next_sign(self) -> str:
        """The next sign that is no space, not yet skipped. Raises BadInput at the end of the file."""
        while True:
            while self._at < len(self._text):
                if (sign := self._text[self._at]) not in _SPACE:
                    return sign
                self._at += 1
            if not self._grow(_CHUNK):
                raise BadInput(f"{self._name} ends in the middle.")

    def skip(self) -> None:
        """Pass the next sign."""
        self._at += 1

    def value(self, row: int) -> Any:
        """Read the next value. Raises BadInput if there is none or it is too large."""
        self.next_sign()
        size = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end == len(self._text) and self._grow(_CHUNK):
                    continue  # a number may go on
                if self._text.count(",", self._at, end) > MAX_VALUES:
                    raise BadInput(f"Entry {row} of {self._name} has more than {MAX_VALUES} values.")
            except RecursionError:
                raise BadInput(f"Entry {row} of {self._name} is nested too deep.") from None
            except ValueError as error:
                if len(self._text) - self._at > MAX_ROW_BYTES:
                    most = MAX_ROW_BYTES // 1024**2
                    raise BadInput(f"Entry {row} of {self._name} is no JSON, or larger than {most} MB.") from None
                if not self._grow(size):
                    raise BadInput(f"Entry {row} of {self._name} is no JSON: {_short(error)}.") from None
                size *= 2  # a value is parsed anew each time it grows
            else:
                self._at = end
                return value

    def _grow(self, size: int) -> bool:
        if self._is_over:
            return False
        data = self._file.read(size)
        self._is_over = not data
        try:
            text = self._decode(data, final=self._is_over)
        except UnicodeDecodeError:
            raise BadInput(f"{self._name} is not UTF-8.") from None
        self._text = self._text[self._at :] + text
        self._at = 0
        return bool(text) or not self._is_over


def _short(error: BaseException) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:120].rstrip(".")
