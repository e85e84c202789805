"""What the first row of a set of labels has: by its columns one format is known from another."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from studio.core.errors import BadInput
from studio.preference.exchange import json_files, parquet
from studio.preference.exchange.incoming import RefusedRow

_LINE = 1024 * 1024  # characters of the first line of a table
_NONE: frozenset[str] = frozenset()


def columns(source: Path, *names: str) -> frozenset[str]:
    """Names of the columns that the first row of a set has; none of what cannot be read.

    source: Parquet, JSON lines, a JSON list or CSV; or a folder, of which the first file counts that fits one of
    `names` (patterns, as `Path.glob` has them), hidden ones and links aside.
    """
    path = source
    if source.is_dir():
        listed = (path for name in names for path in sorted(source.glob(name)))
        path = next((p for p in listed if p.is_file() and not p.is_symlink() and not p.name.startswith(".")), source)
    if not path.is_file():
        return _NONE
    try:
        match path.suffix.lower():
            case ".parquet":
                with parquet.reading(path) as file:
                    return frozenset(file.schema_arrow.names)
            case ".jsonl":
                return _first(json_files.lines(path))
            case ".json":
                return _first(json_files.items(path))
            case ".csv":
                with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                    return frozenset(next(csv.reader([file.readline(_LINE)]), []))
            case _:
                return _NONE
    except (BadInput, OSError, csv.Error):
        return _NONE


def _first(rows: Iterator[tuple[int, json_files.Fields | RefusedRow]]) -> frozenset[str]:
    """Names of the first row that is an object."""
    for row, values in rows:
        if not isinstance(values, RefusedRow):
            return frozenset(values)
        if row > 100:
            break
    return _NONE
