"""Prompts as people have them: typed, one per line, or a file of text, JSON, JSON lines or CSV.

a star at night                        .txt: one prompt per line
["a star", {"prompt": "a heart"}]      .json, and .jsonl with one of these per line
prompt,seed                            .csv, .tsv: the column prompt, text or caption; without a head, the first
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import MAX_PROMPT_CHARS

MAX_BYTES = 5_000_000
MAX_PROMPTS = 10_000
COLUMNS = ("prompt", "text", "caption")
KINDS = (".txt", ".json", ".jsonl", ".csv", ".tsv")


def typed(text: str) -> tuple[str, ...]:
    """The prompts of some lines; empty lines and lines that begin with # are passed over, repeats too.

    Raises BadInput for none, too many, or one that is too long.
    """
    lines = (line.strip() for line in text.splitlines())
    return _checked(line for line in lines if line and not line.startswith("#"))


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a file, by its ending. Raises BadInput: a sentence that names the file and the line or entry."""
    name = f"The file {path.name[:80]}"
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise BadInput(f"{name} is none of {', '.join(KINDS)}.", "Give the prompts one per line, as text.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{name} is larger than {MAX_BYTES // 1_000_000} MB.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not text in UTF-8.", "Save it as UTF-8.") from None
    try:
        if kind == ".txt":
            return typed(text)
        if kind in (".csv", ".tsv"):
            return _checked(_of_table(text, "," if kind == ".csv" else "\t"))
        return _checked(_of_json(text, is_lines=kind == ".jsonl"))
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", error.hint, field="prompts") from None


def _checked(prompts: Iterable[str]) -> tuple[str, ...]:
    distinct: dict[str, None] = {}
    for number, prompt in enumerate(prompts, 1):
        if len(prompt) > MAX_PROMPT_CHARS:
            message = f"Prompt {number} has {len(prompt):,} characters; one has at most {MAX_PROMPT_CHARS:,}."
            raise BadInput(message, field="prompts")
        distinct.setdefault(prompt)
        if len(distinct) > MAX_PROMPTS:
            raise BadInput(f"There are more than {MAX_PROMPTS:,} prompts.", "Take fewer.", field="prompts")
    if not distinct:
        raise BadInput("There is no prompt.", "Write one per line.", field="prompts")
    return tuple(distinct)


def _of_table(text: str, delimiter: str) -> Iterable[str]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error as error:
        raise BadInput(f"It cannot be read as a table: {error}.") from None
    head = [cell.strip().casefold() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in COLUMNS if name in head), None)
    body = rows if column is None else rows[1:]
    cells = (row[column or 0].strip() for row in body if len(row) > (column or 0))
    return (cell for cell in cells if cell)


def _of_json(text: str, *, is_lines: bool) -> Iterable[str]:
    if not is_lines:
        values = _parsed(text, "It")
        if isinstance(values, dict):
            entries = cast("dict[str, Any]", values)
            values = entries.get("prompts", [entries])
        if not isinstance(values, list):
            raise BadInput("It must be a list of prompts.")
        return [_entry(value, f"Entry {k}") for k, value in enumerate(cast("list[Any]", values), 1)]
    lines = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [_entry(_parsed(line, f"Line {k}"), f"Line {k}") for k, line in lines]


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
        raise BadInput(f"{name} is not valid JSON: {reason}.") from None


def _entry(value: Any, name: str) -> str:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        value = next((fields[column] for column in COLUMNS if column in fields), None)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{name} names no prompt: it is {shown(value)}.", f"Give text, or a field {COLUMNS[0]!r}.")
    return value.strip()
