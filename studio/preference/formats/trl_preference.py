"""TRL's preference type: `prompt`, `chosen`, `rejected`, here with pictures for completions.

TRL's own trainers ask for text or messages in `chosen` and `rejected`; for text to image, the sets on the Hub have a
picture in each, under the same names. As Parquet the pictures are in it, as a folder `train.jsonl` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.preference.answer import Answer
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading
from studio.preference.exchange.peek import columns
from studio.preference.exchange.picture_tables import LIST, Cells, Columns, read_table, write_table
from studio.preference.exchange.selection import Export
from studio.preference.formats.base import FOLDER, FORMATS, Format

COLUMNS: Columns = {"prompt": "text", "chosen": "picture", "rejected": "picture"}


def write(export: Export, path: Path) -> None:
    """Write a row for each pair of which one is better."""
    write_table(export, path, COLUMNS, _rows(export))


def _rows(export: Export) -> Iterator[Cells]:
    for pair in export.pairs():
        chosen, rejected = pair.in_order()
        yield {"prompt": pair.label.prompt, "chosen": chosen, "rejected": rejected}


def read(source: Path) -> Reading:
    """Read a file or a folder. Raises BadInput."""
    maker = LabelMaker("trl")

    def make(row: int, cells: dict[str, Any]) -> IncomingLabel:
        return maker.make(row, cells["prompt"], (cells["chosen"], cells["rejected"]), Answer.pair("first"))

    return read_table(source, COLUMNS, make)


TRL_PREFERENCE = FORMATS.register("trl-preference")(
    Format(
        title="TRL preference",
        sentence="Columns prompt, chosen and rejected, in one Parquet file with the pictures, or a folder with them.",
        extensions=(".parquet", FOLDER),
        carries=frozenset({"pairs"}),
        writer=write,
        reader=read,
        loses="ties, who answered and when, ids, lists as lists, questions, comments",
        knows=lambda source: {"prompt", "chosen", "rejected"} <= columns(source, LIST),
    )
)
