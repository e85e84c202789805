"""Tables with pictures in their columns: in one Parquet file, as the library datasets keeps pictures, or in a folder,
as JSON lines that name files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from studio.core.errors import BadInput
from studio.preference.exchange import parquet
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import IncomingLabel, Reading, RefusedRow, Row, attempt
from studio.preference.exchange.json_files import lines, one_line
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.label import Picture

Kind = Literal["text", "truth", "picture"]
Columns = Mapping[str, Kind]
Cells = Mapping[str, "str | bool | Picture"]
Make = Callable[[int, dict[str, Any]], IncomingLabel]  # a label of a row: its number and cells, pictures as bytes

LIST = "train.jsonl"
_FOLDER = "images"
_TYPES = {"text": "string", "truth": "bool"}
_FEATURES = {
    "text": {"dtype": "string", "_type": "Value"},
    "truth": {"dtype": "bool", "_type": "Value"},
    "picture": {"_type": "Image"},
}


def write_table(export: Export, path: Path, columns: Columns, rows: Iterable[Cells]) -> None:
    """Write rows: into `path` itself as Parquet, or as a folder if it is one."""
    if path.is_dir():
        _write_lines(export, path, rows)
    else:
        _write_parquet(export, path, columns, rows)


def read_table(source: Path, columns: Columns, make: Make) -> Reading:
    """Read such a file, or such a folder. Raises BadInput."""
    if source.suffix.lower() == ".parquet":
        return _read_parquet(source, columns, make)
    (path,) = list_file(source, LIST)
    unknown: Counter[str] = Counter()
    return Reading(_rows_of_lines(path, columns, make, unknown), unknown=unknown)


def _write_parquet(export: Export, path: Path, columns: Columns, rows: Iterable[Cells]) -> None:
    import pyarrow as pa

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [(name, picture if kind == "picture" else _TYPES[kind]) for name, kind in columns.items()]
    features = {name: _FEATURES[kind] for name, kind in columns.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pictures = [name for name, kind in columns.items() if kind == "picture"]
    with parquet.writing(path, pa.schema(fields, metadata=metadata), pictures) as group:
        for row in rows:
            files = {name: export.picture(cell.sha256) for name, cell in row.items() if isinstance(cell, Picture)}
            cells = {name: {"bytes": data, "path": None} for name, data in files.items()}
            group.add({**row, **cells}, sum(map(len, files.values())))


def _write_lines(export: Export, path: Path, rows: Iterable[Cells]) -> None:
    folder = PictureFolder(path, _FOLDER, export.file)
    with (path / LIST).open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            cells = {name: folder.put(cell.sha256) if isinstance(cell, Picture) else cell for name, cell in row.items()}
            file.write(one_line(cells) + "\n")


def _read_parquet(source: Path, columns: Columns, make: Make) -> Reading:
    with parquet.reading(source) as file:
        names, total = file.schema_arrow.names, file.metadata.num_rows
        parquet.check_columns(file.schema_arrow, columns, {}, source.name)
    unknown = Counter({name: total for name in names if name not in columns})
    return Reading(_rows_of_parquet(source, columns, make), total, unknown)


def _rows_of_parquet(source: Path, columns: Columns, make: Make) -> Iterator[Row]:
    with parquet.reading(source) as file:
        for row, values in enumerate(parquet.rows(file, list(columns), source.name), start=1):

            def cells(row: int = row, values: dict[str, Any] = values) -> IncomingLabel:
                pictures = {
                    name: parquet.picture_bytes(values[name], name)
                    for name, kind in columns.items()
                    if kind == "picture"
                }
                return make(row, values | pictures)

            yield attempt(row, cells)


def _rows_of_lines(path: Path, columns: Columns, make: Make, unknown: Counter[str]) -> Iterator[Row]:
    for row, values in lines(path):
        if isinstance(values, RefusedRow):
            yield values
            continue
        unknown.update(name for name in values if name not in columns)

        def cells(row: int = row, values: Mapping[str, Any] = values) -> IncomingLabel:
            if missing := [name for name in columns if name not in values]:
                raise BadInput(f"it has no {missing[0]}")
            names = [name for name, kind in columns.items() if kind == "picture"]
            files = picture_files(path.parent, [values[name] for name in names])
            return make(row, dict(values) | dict(zip(names, files, strict=True)))

        yield attempt(row, cells)
