"""Pick-a-Pic, versions 1 and 2: Parquet, a row for each comparison of two pictures.

Columns and types are those of the sets `yuvalkirstain/pickapic_v1` and `_v2` on the Hub, without `__index_level_0__`,
which pandas left there. `best_image_uid` names the winner; of a tie it names neither, and the outcome stands in
`label_0` and `label_1`, which sum to 1 (arXiv:2305.01569). What the columns have no place for stands in a second file
beside it (`studio.preference.exchange.companion`): with it, labels come back as they were, without it as the columns
say.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import FIRST as FIRST_WINS
from studio.preference.answer import SECOND as SECOND_WINS
from studio.preference.answer import TIE as TIED
from studio.preference.answer import Answer
from studio.preference.exchange import parquet
from studio.preference.exchange.companion import CompanionReader, CompanionWriter, companion_path
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, RefusedRow, Row, plain_text
from studio.preference.exchange.peek import columns
from studio.preference.exchange.rows import FIRST, SECOND, TIE, Pair, pairs
from studio.preference.exchange.selection import Export
from studio.preference.formats.base import FORMATS, Format
from studio.preference.label import Label

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {
    "are_different": "bool",
    "best_image_uid": "string",
    "caption": "string",
    "created_at": "timestamp[ns]",
    "has_label": "bool",
    "image_0_uid": "string",
    "image_0_url": "string",
    "image_1_uid": "string",
    "image_1_url": "string",
    "jpg_0": "binary",
    "jpg_1": "binary",
    "label_0": "double",
    "label_1": "double",
    "model_0": "string",
    "model_1": "string",
    "ranking_id": "int64",
    "user_id": "int64",
    "num_example_per_prompt": "int64",
}
PANDAS_INDEX = "__index_level_0__"
_PICTURES = ("jpg_0", "jpg_1")
_WANTED = {"caption": "text", "jpg_0": "picture", "jpg_1": "picture", "label_0": "number", "label_1": "number"}
_OPTIONAL = {
    "best_image_uid": "text",
    "created_at": "time",
    "has_label": "truth",
    "image_0_uid": "text",
    "image_1_uid": "text",
    "model_0": "text",
    "model_1": "text",
    "user_id": "whole",
}
# Follow from others, or are addresses that no longer answer.
_WITHOUT_NEWS = ("are_different", "image_0_url", "image_1_url", "num_example_per_prompt", "ranking_id", PANDAS_INDEX)


def schema() -> pa.Schema:
    """The columns, in their order."""
    import pyarrow as pa

    return pa.schema(
        [(name, pa.timestamp("ns") if kind == "timestamp[ns]" else kind) for name, kind in COLUMNS.items()]
    )


def outcome(label_0: object, label_1: object) -> str:
    """What two columns say of a pair: "first", "second" or "tie". Raises BadInput with a clause."""
    for name, value in (("label_0", label_0), ("label_1", label_1)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(f"its {name} is {shown(value)}, no number")
    shares = (float(cast("float", label_0)), float(cast("float", label_1)))
    if sum(shares) != 1:
        raise BadInput(f"label_0 + label_1 is {sum(shares):g}, not 1")
    names = {FIRST: FIRST_WINS, SECOND: SECOND_WINS, TIE: TIED}
    if shares[0] not in names:
        raise BadInput(f"its label_0 is {shares[0]:g}, a share of several answers and not one answer")
    return names[shares[0]]


# -- out -------------------------------------------------------------------------------------------------------------


def write(export: Export, path: Path) -> None:
    """Write rows in the order of the labels, and the second file where a row is one answer."""
    keeps_labels = export.options.rows == "each"
    per_prompt = Counter(
        label.prompt for label in export.selection for _ in range(len(pairs(label)))
    )  # over all answers, also where they are joined
    second = companion_path(path).open("w", encoding="utf-8", newline="\n") if keeps_labels else nullcontext()
    with second as file, parquet.writing(path, schema(), _PICTURES) as group:
        lines = CompanionWriter(file)
        for pair in export.pairs():
            row = _row(export, pair, per_prompt[pair.label.prompt])
            group.add(row, len(row["jpg_0"]) + len(row["jpg_1"]))
            lines.count(pair.label)
        lines.end()


def _row(export: Export, pair: Pair, per_prompt: int) -> dict[str, Any]:
    label, first, second = pair.label, pair.first, pair.second
    winner = pair.winner
    return {
        "are_different": first.sha256 != second.sha256,
        "best_image_uid": "" if winner is None else winner.sha256,
        "caption": label.prompt,
        "created_at": None if label.answered_at is None else label.answered_at.astimezone(UTC).replace(tzinfo=None),
        "has_label": True,
        "image_0_uid": first.sha256,
        "image_0_url": "",
        "image_1_uid": second.sha256,
        "image_1_url": "",
        "jpg_0": export.picture(first.sha256),
        "jpg_1": export.picture(second.sha256),
        "label_0": pair.share,
        "label_1": 1 - pair.share,
        "model_0": first.model,
        "model_1": second.model,
        "ranking_id": _number(label.prompt, *sorted((first.sha256, second.sha256))),
        "user_id": _number(label.annotator) if label.annotator else 0,
        "num_example_per_prompt": per_prompt,
    }


def _number(*texts: str) -> int:
    """A number of 63 bits for texts, the same each time."""
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


# -- in --------------------------------------------------------------------------------------------------------------


def read(source: Path) -> Reading:
    """Read a file, or all files of a folder in the order of their names. Raises BadInput."""
    paths = parquet.files(source)
    reading = Reading(iter(()), total=0)
    for path in paths:
        with parquet.reading(path) as file:
            columns = file.schema_arrow
            parquet.check_columns(columns, _WANTED, _OPTIONAL, path.name)
            for name in set(columns.names) - set(_WANTED) - set(_OPTIONAL) - set(_WITHOUT_NEWS):
                reading.unknown[name] += file.metadata.num_rows
            reading.total = (reading.total or 0) + file.metadata.num_rows
    reading.rows = _rows(paths, reading.remarks)
    return reading


def _rows(paths: list[Path], remarks: list[str]) -> Iterator[Row]:
    maker = LabelMaker("pickapic")
    row = 0
    for path in paths:
        second = CompanionReader(path, remarks)
        with parquet.reading(path) as file:
            columns = parquet.check_columns(file.schema_arrow, _WANTED, _OPTIONAL, path.name)
            group: list[dict[str, Any]] = []  # rows of one label
            for values in parquet.rows(file, columns, path.name):
                group.append(values)
                label, count = second.label()
                if label is not None and not _fits(label, values):
                    second.drop(row + len(group))
                    label = None
                if label is None:
                    yield from (_plain(maker, row + at, of_row) for at, of_row in enumerate(group, start=1))
                elif len(group) == count:
                    yield _whole(maker, row + 1, label, group)
                    second.next()
                else:
                    continue
                row, group = row + len(group), []
            yield from (_plain(maker, row + at, values) for at, values in enumerate(group, start=1))
            row += len(group)


def _fits(label: Label, values: dict[str, Any]) -> bool:
    """Whether a row can be one of a label: its prompt, two of its pictures, and what it says of them."""
    numbers = {picture.sha256: number for number, picture in enumerate(label.pictures)}
    first, second = numbers.get(values.get("image_0_uid", "")), numbers.get(values.get("image_1_uid", ""))
    if first is None or second is None or not label.answer.ranks or values["caption"] != label.prompt:
        return False
    ranks = label.answer.ranks
    try:
        row_outcome = outcome(values["label_0"], values["label_1"])
    except BadInput:
        return False
    # A tie may be written as a half, or as two rows in which each wins.
    return ranks[first] == ranks[second] or row_outcome == (FIRST_WINS if ranks[first] < ranks[second] else SECOND_WINS)


def _whole(maker: LabelMaker, row: int, label: Label, group: list[dict[str, Any]]) -> Row:
    try:
        files: dict[str, bytes] = {}
        for values in group:
            for side in (0, 1):
                files.setdefault(
                    values[f"image_{side}_uid"], parquet.picture_bytes(values[f"jpg_{side}"], f"jpg_{side}")
                )
        if missing := [picture.sha256 for picture in label.pictures if picture.sha256 not in files]:
            raise BadInput(f"the picture {missing[0][:12]} of its label is in none of its rows")
        own = tuple(files[picture.sha256] for picture in label.pictures)
        pictures = maker.pictures(own, tuple(picture.model for picture in label.pictures))
        if [picture.sha256 for picture in pictures] != [picture.sha256 for picture in label.pictures]:
            raise BadInput("a picture is not the one that its uid names")
    except BadInput as error:
        return RefusedRow(row, error.message)
    return IncomingLabel(row, replace(label, pictures=pictures), own, has_own_id=True)


def _plain(maker: LabelMaker, row: int, values: dict[str, Any]) -> Row:
    try:
        if values.get("has_label") is False:
            raise BadInput("it has no label")
        answer = Answer.pair(outcome(values["label_0"], values["label_1"]))
        _check_best(answer, values)
        files = tuple(parquet.picture_bytes(values[name], name) for name in _PICTURES)
        time: datetime | None = values.get("created_at")
        user = values.get("user_id")
        return maker.make(
            row,
            values["caption"],
            files,
            answer,
            models=tuple(plain_text(values.get(name) or "", name) for name in ("model_0", "model_1")),
            annotator=f"pickapic-{user}" if user else "",
            answered_at=None if time is None else time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC),
        )
    except BadInput as error:
        return RefusedRow(row, error.message)


def _check_best(answer: Answer, values: dict[str, Any]) -> None:
    best, uids = values.get("best_image_uid"), (values.get("image_0_uid"), values.get("image_1_uid"))
    if not best or None in uids:
        return
    winner = {FIRST_WINS: uids[0], SECOND_WINS: uids[1]}.get(answer.outcome)
    if (winner is None and best in uids) or (winner is not None and best != winner):
        raise BadInput("its best_image_uid and its labels do not agree")


PICK_A_PIC = FORMATS.register("pickapic")(
    Format(
        title="Pick-a-Pic",
        sentence=(
            "One Parquet file with the columns of Pick-a-Pic, pictures inside. A second file beside it keeps what they "
            "have no place for, so that labels come back whole."
        ),
        extensions=(".parquet",),
        carries=frozenset({"pairs", "ties", "shares"}),
        writer=write,
        reader=read,
        loses="without its second file: ids, lists as lists, both good and both bad, questions, comments",
        knows=lambda source: {"image_0_uid", "jpg_0", "label_0"} <= columns(source, "*.parquet", "**/*.parquet"),
    )
)
