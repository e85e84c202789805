"""Parquet files, a part at a time: row groups of bounded size are written, and batches of few rows are read.

pyarrow is imported when a file is written or read, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from studio.core.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Of a row group, before anything else is counted. The Hub's viewer and readers of columns want at most 256 MB; what is
# buffered is held two to three times while it is written.
GROUP_BYTES = 48 * 1024 * 1024
GROUP_ROWS = 10_000
MAX_RATIO = 1000  # of what a row group unpacks to, to what it takes in the file
_SMALL = 64 * 1024 * 1024  # what may unpack at any ratio
_BATCH_BYTES = 32 * 1024 * 1024
_BATCH_ROWS = 1024
_READ_BUFFER = 1024 * 1024


class GroupWriter:
    """Writes rows to a Parquet file, in row groups of at most GROUP_BYTES. Open it with `writing`."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._bytes = 0

    def add(self, row: Mapping[str, Any], nbytes: int) -> None:
        """Add a row. nbytes: of its pictures."""
        if self._rows and (self._bytes + nbytes > GROUP_BYTES or len(self._rows) == GROUP_ROWS):
            self.flush()
        self._rows.append(row)
        self._bytes += nbytes

    def flush(self) -> None:
        """Write what was added as a row group."""
        import pyarrow as pa

        if self._rows:
            table = pa.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(table, row_group_size=len(self._rows))
            self._rows, self._bytes = [], 0


@contextmanager
def writing(path: Path, schema: pa.Schema, pictures: Sequence[str]) -> Iterator[GroupWriter]:
    """A Parquet file to write. pictures: columns of pictures, which are neither packed nor looked through."""
    import pyarrow.parquet as pq

    names = [name for name in schema.names if name not in pictures]
    settings: dict[str, Any] = {
        "compression": {name: "snappy" if name in names else "none" for name in schema.names},
        "use_dictionary": names,
        "write_statistics": names,
    }
    writer = pq.ParquetWriter(path, schema, **settings)
    with writer:
        group = GroupWriter(writer, schema)
        yield group
        group.flush()


def files(source: Path) -> list[Path]:
    """A Parquet file, or those of a folder and its folders by name. Raises BadInput if there are none."""
    if source.is_file():
        return [source]
    paths = sorted(path for path in source.rglob("*.parquet") if path.is_file() and not path.is_symlink())
    if not paths:
        raise BadInput(f"There is no Parquet file in {source.name}.")
    return paths


@contextmanager
def reading(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file to read. Raises BadInput for what is none, or is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Without pre_buffer a column is read through a buffer, and not whole.
        with pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:120].rstrip(". ") if str(error) else type(error).__name__
        raise BadInput(f"{path.name} is no Parquet file, or is damaged: {reason}.") from None


def rows(file: pq.ParquetFile, columns: Sequence[str], name: str) -> Iterator[dict[str, Any]]:
    """Its rows, a few at a time. name: of the file. Raises BadInput for a row group that unpacks to far more."""
    import pyarrow as pa

    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        chunks = [group.column(index) for index in range(group.num_columns)]
        packed = sum(chunk.total_compressed_size for chunk in chunks)
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
        if unpacked > max(_SMALL, MAX_RATIO * packed):
            raise BadInput(f"{name} unpacks {packed} bytes to {unpacked}: it is not read.")
        row_bytes = max(unpacked // max(group.num_rows, 1), 1)
        size = min(max(_BATCH_BYTES // row_bytes, 1), _BATCH_ROWS)
        for batch in file.iter_batches(size, row_groups=[number], columns=list(columns)):
            # Python's times end at microseconds, and pyarrow would rather fail than cut nanoseconds off.
            arrays = [
                column.cast(pa.timestamp("us", column.type.tz), safe=False)
                if pa.types.is_timestamp(column.type)
                else column
                for column in batch.columns
            ]
            yield from pa.RecordBatch.from_arrays(arrays, names=batch.schema.names).to_pylist()


def check_columns(schema: pa.Schema, wanted: Mapping[str, str], optional: Mapping[str, str], name: str) -> list[str]:
    """Names of the wanted columns that are there. wanted, optional: name -> kind, of _KINDS.

    Raises BadInput for one that is missing or of another kind.
    """
    for column, kind in wanted.items():
        if column not in schema.names:
            raise BadInput(f"{name} has no column {column!r}.", f"It has {', '.join(schema.names[:30])}.")
        _check_kind(schema, column, kind, name)
    present = [column for column in optional if column in schema.names]
    for column in present:
        _check_kind(schema, column, optional[column], name)
    return [*wanted, *present]


def _check_kind(schema: pa.Schema, column: str, kind: str, name: str) -> None:
    import pyarrow.types as types

    def of(data: pa.DataType) -> bool:
        if types.is_dictionary(data):
            return of(data.value_type)
        tests = {
            "text": (types.is_string, types.is_large_string, types.is_null),
            "bytes": (types.is_binary, types.is_large_binary),
            "number": (types.is_floating, types.is_integer),
            "whole": (types.is_integer,),
            "truth": (types.is_boolean,),
            "time": (types.is_timestamp,),
            "picture": (types.is_binary, types.is_large_binary, types.is_struct),
            "texts": (types.is_list,),
        }[kind]
        return any(test(data) for test in tests)

    data = schema.field(column).type
    if not of(data):
        raise BadInput(f"In {name}, the column {column!r} holds {data}, and should hold {_KINDS[kind]}.")


_KINDS = {
    "text": "text",
    "bytes": "bytes",
    "number": "numbers",
    "whole": "whole numbers",
    "truth": "true or false",
    "time": "times",
    "picture": "the bytes of pictures",
    "texts": "lists",
}


def picture_bytes(value: object, name: str) -> bytes:
    """The bytes of a picture: a column of bytes, or of the struct in which the library datasets keeps pictures.

    Raises BadInput with a clause.
    """
    if isinstance(value, dict):
        value = cast("dict[str, object]", value).get("bytes")
    if not isinstance(value, bytes) or not value:
        raise BadInput(f"its {name} holds no picture")
    return value
