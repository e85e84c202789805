"""All that a label says, as JSON lines: a folder in which they name pictures, or one file with the pictures in base64.

A line has `prompt`, `pictures` (each with `sha256`, and `file` or `data`) and `answer` (`mode`, `ranks`, `good`, as
`studio.preference.answer` has them); all else that a label says is there where it differs from what is usual. The item
and the campaign are not: whoever takes it in says which.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, RefusedRow, Row, attempt
from studio.preference.exchange.json_files import as_fields, as_list, lines, one_line
from studio.preference.exchange.label_json import FIELDS, label_of, label_values
from studio.preference.exchange.peek import columns
from studio.preference.exchange.picture_files import MAX_BYTES
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format

LIST = "labels.jsonl"
_FOLDER = "images"
_PICTURE_FIELDS = ("sha256", "model", "file", "data")


def write(export: Export, path: Path) -> None:
    """Write a line for each label."""
    is_folder = path.is_dir()
    folder = PictureFolder(path, _FOLDER, export.file) if is_folder else None
    with (path / LIST if is_folder else path).open("w", encoding="utf-8", newline="\n") as file:
        for label in export.labels():
            if not export.all_there(label):
                continue
            values = label_values(label)
            for fields, picture in zip(values["pictures"], label.pictures, strict=True):
                if folder is not None:
                    fields["file"] = folder.put(picture.sha256)
                else:
                    fields["data"] = base64.b64encode(export.picture(picture.sha256)).decode()
            file.write(one_line(values) + "\n")
            export.written.rows += 1


def read(source: Path) -> Reading:
    """Read a file, or that of a folder. Raises BadInput."""
    (path,) = list_file(source, LIST)
    unknown: Counter[str] = Counter()
    return Reading(_rows(path, unknown), unknown=unknown)


def _rows(path: Path, unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("jsonl")
    for row, values in lines(path):
        if isinstance(values, RefusedRow):
            yield values
            continue
        unknown.update(name for name in values if name not in FIELDS)
        yield attempt(row, lambda row=row, values=values: _label(maker, row, values, path.parent, unknown))


def _label(
    maker: LabelMaker, row: int, values: Mapping[str, Any], folder: Path, unknown: Counter[str]
) -> IncomingLabel:
    entries = [as_fields(entry) for entry in as_list(values.get("pictures"), "pictures", 16)]
    unknown.update(f"pictures.{name}" for entry in entries for name in entry if name not in _PICTURE_FIELDS)
    label = label_of({"id": "none", **values})
    files = tuple(_file(entry, folder) for entry in entries)
    pictures = maker.pictures(files, tuple(picture.model for picture in label.pictures))
    for picture, declared in zip(pictures, label.pictures, strict=True):
        if declared.sha256 and declared.sha256 != picture.sha256:
            raise BadInput("a picture is not the one that its sha256 names")
    if "id" not in values:
        incoming = maker.make(
            row, label.prompt, files, label.answer, annotator=label.annotator, answered_at=label.answered_at
        )
        label = replace(label, id=incoming.label.id)
    return IncomingLabel(row, replace(label, pictures=pictures), files, has_own_id="id" in values)


def _file(entry: Mapping[str, Any], folder: Path) -> bytes:
    if "file" in entry:
        return picture_files(folder, [entry["file"]])[0]
    data = entry.get("data")
    if not isinstance(data, str) or len(data) > MAX_BYTES * 4 // 3 + 4:
        raise BadInput(f"a picture has neither a file nor data, or its data is {shown(data)}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("the data of a picture is no base64") from None


JSONL = FORMATS.register("jsonl")(
    Format(
        title="Palimpsest's JSON lines",
        sentence="All that a label says. A folder with labels.jsonl and its pictures, or one file with them in base64.",
        extensions=(".jsonl", FOLDER),
        carries=frozenset({"pairs", "ties", "unpaired", "rankings", "all"}),
        writer=write,
        reader=read,
        knows=lambda source: {"pictures", "answer"} <= columns(source, LIST),
    )
)
