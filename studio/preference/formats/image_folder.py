"""A folder as the library datasets reads folders of pictures: `metadata.jsonl` beside them, a line for each label.

`images_file_names` lists a label's pictures, from which the library makes a column `images` of pictures. `mode`,
`ranks` and `good` are those of `studio.preference.answer`. The column `palimpsest` is all that a label says, as JSON
text: columns have one type each, and no other place for what only some labels say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.core.bounded_json import loads, without_repeats
from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, RefusedRow, Row, attempt, plain_text
from studio.preference.exchange.json_files import MAX_VALUES, as_list, lines, one_line
from studio.preference.exchange.label_json import label_of, label_values
from studio.preference.exchange.peek import columns
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format

LIST = "metadata.jsonl"
COLUMNS = ("images_file_names", "prompt", "mode", "ranks", "good", "palimpsest")
_FOLDER = "images"
_LONGEST = 1024 * 1024  # characters of a label


def write(export: Export, path: Path) -> None:
    """Write a line for each label."""
    folder = PictureFolder(path, _FOLDER, export.file)
    with (path / LIST).open("w", encoding="utf-8", newline="\n") as file:
        for label in export.labels():
            if not export.all_there(label):
                continue
            answer = label.answer
            values = {
                "images_file_names": [folder.put(picture.sha256) for picture in label.pictures],
                "prompt": label.prompt,
                "mode": answer.mode,
                "ranks": list(answer.ranks),
                "good": answer.good,
                "palimpsest": json.dumps(label_values(label), ensure_ascii=False, separators=(",", ":")),
            }
            file.write(one_line(values) + "\n")
            export.written.rows += 1


def read(source: Path) -> Reading:
    """Read a folder. Raises BadInput."""
    (path,) = list_file(source, LIST)
    unknown: Counter[str] = Counter()
    return Reading(_rows(path, unknown), unknown=unknown)


def _rows(path: Path, unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("folder")
    for row, values in lines(path):
        if isinstance(values, RefusedRow):
            yield values
            continue
        unknown.update(name for name in values if name not in COLUMNS)
        yield attempt(row, lambda row=row, values=values: _label(maker, row, values, path.parent))


def _label(maker: LabelMaker, row: int, values: Mapping[str, Any], folder: Path) -> IncomingLabel:
    files = picture_files(folder, as_list(values.get("images_file_names"), "images_file_names", 16))
    columns = {"mode": values.get("mode"), "ranks": values.get("ranks") or [], "good": values.get("good")}
    answer = Answer.load(columns)
    text = values.get("palimpsest")
    if text is None:
        count = len(answer.ranks) or (1 if answer.mode == "thumb" else len(files))
        if len(files) != count or not files:
            raise BadInput(f"it has {len(files)} pictures, and its answer is about {max(count, 1)}")
        return maker.make(row, values.get("prompt"), files, answer)
    try:
        label = label_of(loads(plain_text(text, "palimpsest", _LONGEST), MAX_VALUES, pairs_hook=without_repeats))
    except (ValueError, RecursionError):
        raise BadInput("its column palimpsest is no JSON") from None
    if len(files) != len(label.pictures):
        raise BadInput(f"it has {len(files)} pictures, and its column palimpsest names {len(label.pictures)}")
    pictures = maker.pictures(files, tuple(picture.model for picture in label.pictures))
    if [picture.sha256 for picture in pictures] != [picture.sha256 for picture in label.pictures]:
        raise BadInput("its pictures are not those that its column palimpsest names")
    if label.answer != answer or label.prompt != values.get("prompt"):
        raise BadInput("its columns and its column palimpsest do not agree")
    return IncomingLabel(row, replace(label, pictures=pictures), files, has_own_id=True)


IMAGE_FOLDER = FORMATS.register("image-folder")(
    Format(
        title="Image folder",
        sentence="A folder that the library datasets reads as it is: pictures, and metadata.jsonl with all labels say.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs", "ties", "unpaired", "rankings", "all"}),
        writer=write,
        reader=read,
        knows=lambda source: {"images_file_names"} <= columns(source, LIST),
    )
)
