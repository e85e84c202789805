"""Pick-a-Pic: columns, rules, and labels that come back whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest import MonkeyPatch

from studio.core.errors import BadInput, Cancelled
from studio.preference.answer import Answer
from studio.preference.exchange import parquet
from studio.preference.exchange.companion import companion_path
from studio.preference.exchange.incoming import IncomingLabel, RefusedRow
from studio.preference.exchange.options import ExportOptions
from studio.preference.formats.pickapic import COLUMNS, PICK_A_PIC, schema
from studio.preference.label import Label
from tests.preference.formats.mixed import Pictures, labels, png

OPEN = ExportOptions(anonymise=False)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return pq.ParquetFile(path).read().to_pylist()


def row(**changes: Any) -> dict[str, Any]:
    """A row as others write it."""
    values: dict[str, Any] = {
        "caption": "a cat",
        "jpg_0": png(1, format="JPEG"),
        "jpg_1": png(2),
        "label_0": 1.0,
        "label_1": 0.0,
        "best_image_uid": "zero",
        "image_0_uid": "zero",
        "image_1_uid": "one",
        "user_id": 7,
        "has_label": True,
    }
    return values | changes


def foreign(path: Path, rows: list[dict[str, Any]], of: pa.Schema | None = None) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=of), path)
    return path


def test_the_library_datasets_reads_the_columns_and_types_of_pick_a_pic(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "store")
    made = labels(pictures)
    target = tmp_path / "out" / "labels.parquet"
    PICK_A_PIC.write(made, pictures, target, OPEN)
    read = datasets.load_dataset("parquet", data_files=str(target), split="train", cache_dir=str(tmp_path / "cache"))
    assert isinstance(read, datasets.Dataset)
    types = {name: "float64" if kind == "double" else kind for name, kind in COLUMNS.items()}
    assert {name: feature.dtype for name, feature in read.features.items()} == types
    first = read[0]
    winner = pictures(made[0].pictures[0].sha256).read_bytes()
    assert first["jpg_0"] == winner and (first["label_0"], first["label_1"]) == (1.0, 0.0)
    assert first["best_image_uid"] == first["image_0_uid"] == made[0].pictures[0].sha256
    # A folder with both files in it is read as one set of this.
    folder = datasets.load_dataset(str(target.parent), split="train", cache_dir=str(tmp_path / "cache"))
    assert isinstance(folder, datasets.Dataset) and folder.column_names == list(COLUMNS) and len(folder) == len(read)


def test_labels_come_back_whole_and_go_out_as_the_same_bytes(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    made = labels(pictures)
    options = ExportOptions(salt="grain")
    written = PICK_A_PIC.write(made, pictures, target, options)
    compare = [label for label in made if label.answer.ranks]
    assert written.labels == len(compare) and written.left_out == {"compares no two pictures": len(made) - len(compare)}
    came = list(PICK_A_PIC.read(target))
    assert all(isinstance(incoming, IncomingLabel) for incoming in came)
    incoming = [row for row in came if isinstance(row, IncomingLabel)]
    assert [i.files for i in incoming] == [
        tuple(pictures(picture.sha256).read_bytes() for picture in label.pictures) for label in compare
    ]
    hidden = [
        replace(i.label, item=label.item, campaign=label.campaign) for i, label in zip(incoming, compare, strict=True)
    ]
    assert {label.annotator for label in hidden}.isdisjoint(label.annotator for label in made)
    assert [replace(label, annotator="") for label in hidden] == [replace(label, annotator="") for label in compare]
    again = tmp_path / "b.parquet"
    other_store = Pictures(tmp_path / "other")
    for i in incoming:
        assert [other_store.put(data) for data in i.files] == [picture.sha256 for picture in i.label.pictures]
    PICK_A_PIC.write([i.label for i in incoming], other_store, again, ExportOptions(salt="another"))
    assert again.read_bytes() == target.read_bytes()
    assert companion_path(again).read_bytes() == companion_path(target).read_bytes()


def test_without_its_second_file_rows_are_read_as_the_columns_say(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    made = labels(pictures)
    PICK_A_PIC.write(made, pictures, target, OPEN)
    companion_path(target).unlink()
    outcomes = [i.label.answer.outcome for i in PICK_A_PIC.read(target) if isinstance(i, IncomingLabel)]
    assert outcomes[:5] == ["first", "second", "tie", "tie", "tie"]
    assert len(outcomes) == len(rows_of(target))
    times = [i.label.answered_at for i in PICK_A_PIC.read(target) if isinstance(i, IncomingLabel)]
    assert times[0] == made[0].answered_at


def test_a_second_file_of_other_rows_is_said_and_not_used(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    PICK_A_PIC.write(labels(pictures), pictures, target, OPEN)
    table = pq.ParquetFile(target).read()
    kept = tmp_path / "kept.parquet"
    pq.write_table(table.slice(1), kept)
    companion_path(target).rename(companion_path(kept))
    reading = PICK_A_PIC.read(kept)
    rows = list(reading)
    assert len(rows) == table.num_rows - 1 and all(isinstance(r, IncomingLabel) for r in rows)
    assert len(reading.remarks) == 1 and "does not fit row 1" in reading.remarks[0]


def test_a_second_file_does_not_speak_for_rows_that_say_otherwise(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    PICK_A_PIC.write(labels(pictures)[:2], pictures, target, OPEN)
    (turned, wrong), kept = rows_of(target), tmp_path / "kept.parquet"
    turned |= {"label_0": 0.0, "label_1": 1.0, "best_image_uid": turned["image_1_uid"]}
    wrong |= {"label_1": 0.7}
    pq.write_table(pa.Table.from_pylist([turned, wrong], schema=schema()), kept)
    companion_path(target).rename(companion_path(kept))
    first, second = PICK_A_PIC.read(kept)
    assert isinstance(first, IncomingLabel) and first.label.answer.outcome == "second" and not first.has_own_id
    assert isinstance(second, RefusedRow) and "not 1" in second.reason


def test_times_are_utc_whatever_zone_the_column_has(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta, timezone

    time = datetime(2023, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2)))
    table = pa.Table.from_pylist([row(created_at=time)])
    zoned = table.set_column(
        table.schema.get_field_index("created_at"), "created_at", pa.array([time], pa.timestamp("ns", "Europe/Berlin"))
    )
    pq.write_table(zoned, tmp_path / "a.parquet")
    (incoming,) = PICK_A_PIC.read(tmp_path / "a.parquet")
    assert isinstance(incoming, IncomingLabel) and incoming.label.answered_at == datetime(
        2023, 5, 6, 5, 8, 9, tzinfo=UTC
    )


def test_ties_as_the_option_says(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "store")
    tie = replace(labels(pictures)[2], answer=Answer.pair("tie"))
    for ties, expected in (("half", [(0.5, 0.5)]), ("both", [(1.0, 0.0), (0.0, 1.0)])):
        target = tmp_path / f"{ties}.parquet"
        PICK_A_PIC.write([tie], pictures, target, ExportOptions(ties=ties))  # type: ignore[arg-type]
        assert [(r["label_0"], r["label_1"]) for r in rows_of(target)] == expected
        (incoming,) = [r for r in PICK_A_PIC.read(target) if isinstance(r, IncomingLabel)]
        assert incoming.label.answer == tie.answer
    uids = {rows_of(tmp_path / "half.parquet")[0][name] for name in ("image_0_uid", "image_1_uid")}
    assert rows_of(tmp_path / "half.parquet")[0]["best_image_uid"] not in uids
    with pytest.raises(BadInput, match="no label to write"):
        PICK_A_PIC.write([tie], pictures, tmp_path / "drop.parquet", ExportOptions(ties="drop"))
    assert not (tmp_path / "drop.parquet").exists()


def test_answers_about_one_pair_are_joined(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "store")
    base = labels(pictures)[0]
    swapped = replace(base, id="s", pictures=base.pictures[::-1], answer=Answer.pair("second"))  # the same winner
    answers = [base, swapped, replace(base, id="o", answer=Answer.pair("second"))]
    for rows, share in (("majority", 1.0), ("mean", 2 / 3)):
        target = tmp_path / f"{rows}.parquet"
        PICK_A_PIC.write(answers, pictures, target, ExportOptions(rows=rows))  # type: ignore[arg-type]
        (only,) = rows_of(target)
        assert only["label_0"] == pytest.approx(share) and only["label_0"] + only["label_1"] == 1
        assert only["user_id"] == 0 and not companion_path(target).exists()
    (refused,) = list(PICK_A_PIC.read(tmp_path / "mean.parquet"))
    assert isinstance(refused, RefusedRow) and "a share of several answers" in refused.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label_0": 0.7, "label_1": 0.7}, "label_0 + label_1 is 1.4"),
        ({"label_0": None}, "label_0 is None"),
        ({"best_image_uid": "one"}, "do not agree"),
        ({"label_0": 0.5, "label_1": 0.5}, "do not agree"),
        ({"jpg_0": png(1)[:-30]}, "cannot be read"),
        ({"jpg_0": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, "cannot be read"),
        ({"jpg_1": None}, "jpg_1 holds no picture"),
        ({"jpg_0": png(2)}, "compared with itself"),
        ({"caption": "x" * 10_001}, "more than 10000"),
        ({"caption": None}, "no text"),
        ({"has_label": False}, "no label"),
    ],
)
def test_a_row_that_is_wrong_costs_itself(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    source = foreign(
        tmp_path / "a.parquet", [row(), row(**changes), row(label_0=0.0, label_1=1.0, best_image_uid="one")]
    )
    first, wrong, last = PICK_A_PIC.read(source)
    assert isinstance(first, IncomingLabel) and first.label.answer.outcome == "first"
    assert first.label.annotator == "pickapic-7" and first.files[0] == png(1, format="JPEG")
    assert isinstance(wrong, RefusedRow) and wrong.row == 2 and reason in wrong.reason
    assert isinstance(last, IncomingLabel) and last.label.answer.outcome == "second"


def test_columns_that_say_nothing_are_listed_and_those_of_pandas_are_dropped(tmp_path: Path) -> None:
    source = foreign(tmp_path / "a.parquet", [row(__index_level_0__=3, mood="blue"), row(mood="red")])
    reading = PICK_A_PIC.read(source)
    assert reading.unknown == {"mood": 2} and reading.total == 2
    ids = [i.label.id for i in reading if isinstance(i, IncomingLabel)]
    assert len(set(ids)) == 2 and ids == [i.label.id for i in PICK_A_PIC.read(source) if isinstance(i, IncomingLabel)]


def test_what_is_said_twice_is_taken_once(tmp_path: Path) -> None:
    time = pa.scalar(1_700_000_000_123_456_789, pa.timestamp("ns")).as_py()
    turned = {"jpg_0": png(2), "jpg_1": png(1, format="JPEG"), "label_0": 0.0, "label_1": 1.0}
    uids = {"image_0_uid": "one", "image_1_uid": "zero"}
    others = [row(created_at=time, **turned, **uids), row(created_at=time, user_id=8), row(), row()]
    source = foreign(tmp_path / "a.parquet", [row(created_at=time), *others])
    kinds = [type(r) for r in PICK_A_PIC.read(source)]
    assert kinds == [IncomingLabel, RefusedRow, IncomingLabel, IncomingLabel, IncomingLabel]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"caption": ["a"], "label_0": [1.0], "label_1": [0.0]}, "has no column 'jpg_0'"),
        ({"caption": [1], "jpg_0": [b""], "jpg_1": [b""], "label_0": [1.0], "label_1": [0.0]}, "holds int64"),
        ({"caption": ["a"], "jpg_0": [b"x"], "jpg_1": [b"x"], "label_0": ["1"], "label_1": [0.0]}, "holds string"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, table: dict[str, list[Any]], sentence: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=sentence):
        PICK_A_PIC.read(tmp_path / "a.parquet")


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    whole = foreign(tmp_path / "b.parquet", [row()] * 3)
    (tmp_path / "c.parquet").write_bytes(whole.read_bytes()[:-40])
    for name in ("a.parquet", "c.parquet"):
        with pytest.raises(BadInput, match="is no Parquet file, or is damaged"):
            PICK_A_PIC.read(tmp_path / name)
    with pytest.raises(BadInput, match="no rows"):
        list(PICK_A_PIC.read(foreign(tmp_path / "d.parquet", [], schema())))
    with pytest.raises(BadInput, match="no file"):
        PICK_A_PIC.read(tmp_path / "none.parquet")


def test_pages_damaged_in_the_middle_are_said_in_a_sentence(tmp_path: Path) -> None:
    source = foreign(tmp_path / "a.parquet", [row(jpg_0=png(n), jpg_1=png(n + 100)) for n in range(9)])
    data = bytearray(source.read_bytes())
    data[4:400] = bytes(396)
    source.write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        list(PICK_A_PIC.read(source))


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 3000)
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    made = labels(pictures)
    PICK_A_PIC.write(made, pictures, target, OPEN)
    metadata = pq.ParquetFile(target).metadata
    nbytes = [
        sum(len(r["jpg_0"]) + len(r["jpg_1"]) for r in pq.ParquetFile(target).read_row_group(n).to_pylist())
        for n in range(metadata.num_row_groups)
    ]
    assert len(nbytes) > 3 and max(nbytes) <= 3000


class StoppedAfter:
    """Labels of which the stop is asked for when some were gone over a number of times."""

    def __init__(self, made: list[Label], times: int) -> None:
        self._made, self._times, self.stopped = made, times, False

    def __iter__(self):
        self._times -= 1
        for number, label in enumerate(self._made):
            self.stopped = self._times == 0 and number > len(self._made) // 2
            yield label


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_stopped_export_leaves_nothing(tmp_path: Path, times: int) -> None:
    pictures = Pictures(tmp_path / "store")
    base = labels(pictures)
    many = [replace(label, id=f"{n}-{label.id}") for n in range(20) for label in base]
    stoppable = StoppedAfter(many, times)
    target = tmp_path / "out" / "a.parquet"
    with pytest.raises(Cancelled):
        PICK_A_PIC.write(stoppable, pictures, target, OPEN, stop=lambda: stoppable.stopped)
    assert not target.parent.exists() or not list(target.parent.iterdir())


def test_a_picture_that_is_gone_costs_its_labels(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    made = labels(pictures)
    pictures(made[0].pictures[1].sha256).unlink()
    written = PICK_A_PIC.write(made, pictures, target, OPEN)
    assert written.left_out["a picture of it is gone"] == 1
    assert made[0].id not in {json.loads(line)["id"] for line in companion_path(target).read_text().splitlines()}


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "a.parquet"
    target.write_text("mine")
    with pytest.raises(BadInput, match="already"):
        PICK_A_PIC.write(labels(pictures), pictures, target)
    with pytest.raises(BadInput, match="ends in .parquet"):
        PICK_A_PIC.write(labels(pictures), pictures, tmp_path / "a.csv")
    assert target.read_text() == "mine"
