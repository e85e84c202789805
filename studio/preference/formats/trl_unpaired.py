"""TRL's unpaired preference type: `prompt`, `completion`, `label`, here with a picture for the completion.

Pairs become two rows, as TRL's own conversion of preferences into unpaired ones has it: the chosen one is true, the
rejected one false.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import Answer
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading
from studio.preference.exchange.peek import columns
from studio.preference.exchange.picture_tables import LIST, Columns, read_table, write_table
from studio.preference.exchange.selection import Export
from studio.preference.formats.base import FOLDER, FORMATS, Format

COLUMNS: Columns = {"prompt": "text", "completion": "picture", "label": "truth"}


def write(export: Export, path: Path) -> None:
    """Write a row for each picture that is good or bad."""
    rows = ({"prompt": v.label.prompt, "completion": v.picture, "label": v.good} for v in export.verdicts())
    write_table(export, path, COLUMNS, rows)


def read(source: Path) -> Reading:
    """Read a file or a folder. Raises BadInput."""
    maker = LabelMaker("trl")

    def make(row: int, cells: dict[str, Any]) -> IncomingLabel:
        good = cells["label"]
        if not isinstance(good, bool):
            raise BadInput(f"its label is {shown(good)}, neither true nor false")
        return maker.make(row, cells["prompt"], (cells["completion"],), Answer.thumb(good))

    return read_table(source, COLUMNS, make)


TRL_UNPAIRED = FORMATS.register("trl-unpaired")(
    Format(
        title="TRL unpaired preference",
        sentence="Columns prompt, completion and label: each picture by itself, good or bad; pairs become two rows.",
        extensions=(".parquet", FOLDER),
        carries=frozenset({"unpaired"}),
        writer=write,
        reader=read,
        loses="which pictures were compared, ties, who answered and when, ids, questions, comments",
        knows=lambda source: {"prompt", "completion", "label"} <= columns(source, LIST),
    )
)
