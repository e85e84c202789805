"""Many concepts as lines of text: pasted, or out of a file (.txt, .csv). No torch here.

    star -> heart
    watercolor
    # a remark

A line is a concept and, behind an arrow, what takes its place. Without an arrow, commas or tabs part the columns words,
substitute, kind and synonyms (these between semicolons); a first line of such names says which columns there are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import load
from studio.training.erase.concept import Concept

MAX_LINES = 200
MAX_BYTES = 200_000
_ARROW = re.compile(r"\s*(?:->|=>|→)\s*")
_COLUMNS = ("words", "substitute", "kind", "synonyms")
_NAMES = {
    "concept": "words",
    "erase": "words",
    "target": "words",
    "draw instead": "substitute",
    "to": "substitute",
    "replacement": "substitute",
    "also called": "synonyms",
}


@dataclass(frozen=True)
class Line:
    """One line that says something.

    number: from 1.
    text: as it stands.
    concept: what it says, as plain values of a Concept.
    problem: why it is none, a sentence; "" where it is.
    """

    number: int
    text: str
    concept: dict[str, Any]
    problem: str = ""


def read_lines(text: str) -> list[Line]:
    """The lines of a text that say something; a bad one has its problem and costs itself alone.

    Raises BadInput for more than MAX_LINES.
    """
    columns: Sequence[str] = _COLUMNS
    lines: list[Line] = []
    for number, line in _said(text):
        cells = _cells(line)
        if not lines and (header := _header(cells)):
            columns = header
            continue
        if len(lines) == MAX_LINES:
            raise BadInput(f"These are more than {MAX_LINES} concepts.", "Take them in parts.", field="concepts")
        lines.append(_read(number, line, cells, columns))
    return lines


def read_line(number: int, text: str) -> Line:
    """A line by itself: a concept and, behind an arrow, what takes its place; a comma is one of its words'."""
    return _read(number, text, _ARROW.split(text.strip()), _COLUMNS[:2])


def read_file(path: Path) -> list[Line]:
    """Those of a file. Raises BadInput for one that cannot be read, is too large, or holds no concepts."""
    if not (lines := read_lines(read_text(path))):
        raise BadInput(f"The file {path.name} names no concepts.", "Write one on each line, such as: star -> heart")
    return lines


def read_text(path: Path) -> str:
    """The text of a file of lines. Raises BadInput for one that cannot be read, is too large, or no text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"The file {path.name} cannot be read: {error.strerror}.", field="concepts") from None
    except UnicodeDecodeError:
        raise BadInput(f"The file {path.name} is no text in UTF-8.", "Save it as a .txt or .csv file.") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"The file {path.name} has more than {MAX_BYTES // 1000} KB.", "Take it in parts.")
    return text


def _said(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped


def _cells(line: str) -> list[str]:
    if _ARROW.search(line):
        return _ARROW.split(line)
    (cells,) = csv.reader([line], delimiter="\t" if "\t" in line else ",", skipinitialspace=True)
    return [cell.strip() for cell in cells]


def _header(cells: Sequence[str]) -> list[str]:
    """The columns that a first line names; [] where it names none."""
    names = [_NAMES.get(cell.casefold(), cell.casefold()) for cell in cells]
    return names if "words" in names and len(cells) > 1 else []


def _read(number: int, line: str, cells: Sequence[str], columns: Sequence[str]) -> Line:
    if has_arrow := _ARROW.search(line) is not None:
        columns = _COLUMNS[:2]
    if len(cells) > len(columns):
        much = "two arrows" if has_arrow else f"{len(cells)} columns"
        return Line(number, line, {}, f"It has {much}, and says one concept and what takes its place.")
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column in _COLUMNS}
    synonyms = [word.strip() for word in row.pop("synonyms", "").split(";") if word.strip()]
    concept: dict[str, Any] = {**row, "synonyms": synonyms} if synonyms else dict(row)
    try:
        load(Concept, concept, "concept").check()
    except BadInput as error:
        return Line(number, line, concept, str(error))
    return Line(number, line, concept)
