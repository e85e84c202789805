"""Sets that others made, as their documentation has them, and what is wrong with some of their rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.preference.exchange import json_files
from studio.preference.exchange.incoming import IncomingLabel, RefusedRow
from studio.preference.formats import FORMATS
from tests.preference.formats.mixed import png


def folder(root: Path, *names: str) -> Path:
    """A folder with pictures of these names, each another."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(number, format="JPEG" if name.endswith(".jpg") else "PNG"))
    return root


def outcomes(rows: list[Any]) -> list[Any]:
    """Of a label its ranks and what is good, of a refused row its reason."""
    return [
        row.reason if isinstance(row, RefusedRow) else (row.label.answer.ranks, row.label.answer.good) for row in rows
    ]


def test_hpd_v2_as_published(tmp_path: Path) -> None:
    root = folder(tmp_path, "train/1.jpg", "train/2.jpg", "test/a.jpg", "test/b.jpg", "test/c.jpg")
    pair = {"prompt": "a cat", "file_path": ["1.jpg", "2.jpg"], "human_preference": [0, 1], "user_hash": "u1"}
    raw = [{"rank": [3, 1, 2], "user_hash": "u2"}, {"rank": [1, 5, 5], "user_hash": "u3"}, {"rank": [1, 2]}]
    ranking = {
        "prompt": "a dog",
        "image_path": ["a.jpg", "b.jpg", "c.jpg"],
        "rank": [2.5, 1, 2],
        "raw_annotations": raw,
    }
    averaged = {key: value for key, value in ranking.items() if key != "raw_annotations"}
    (root / "train.json").write_text(json.dumps([pair, {**pair, "human_preference": [1, 1], "mood": 1}]))
    (root / "test.json").write_text(json.dumps([ranking, averaged, {"prompt": "x"}]))
    reading = FORMATS.get("hpdv2").read(root)
    rows = list(reading)
    assert outcomes(rows) == [
        ((2, 1), None),
        "its human_preference is [1, 1], not [1, 0] or [0, 1]",
        ((3, 1, 2), None),
        ((1, 2, 2), None),
        "its ranks are [1, 2], not a number for each of 3 pictures",
        ((3, 1, 2), None),
        "it has neither human_preference nor rank",
    ]
    assert [row.row for row in rows] == [1, 2, 3, 3, 3, 4, 5] and reading.unknown == {"mood": 1}
    assert [row.label.annotator for row in rows if isinstance(row, IncomingLabel)] == ["u1", "u2", "u3", ""]


def test_imagereward_as_published(tmp_path: Path) -> None:
    root = folder(tmp_path, "images/1.png", "images/2.png", "images/3.png")
    names = ["images/1.png", "images/2.png", "images/3.png"]
    entries = [
        {"id": "5", "prompt": "a cat", "generations": names, "ranking": [1, 4, 1]},
        {"id": "6", "prompt": "a cat", "generations": ["1.png", "2.png"], "ranking": [2, 1]},
        {"id": "7", "prompt": "a cat", "generations": names[:1], "ranking": [1]},
        {"id": "8", "prompt": "a cat", "generations": names, "ranking": [1, "2", 3]},
    ]
    (root / "test.json").write_text(json.dumps(entries, indent=1))
    rows = list(FORMATS.get("imagereward").read(root))
    assert outcomes(rows)[:2] == [((1, 2, 1), None), ((2, 1), None)]
    assert [type(row) for row in rows[2:]] == [RefusedRow, RefusedRow]


def test_label_studio_as_exported(tmp_path: Path) -> None:
    root = folder(tmp_path, "shop/1.jpg", "shop/2.jpg")
    local = {"prompt": "a cat", "left": "/data/local-files/?d=shop/1.jpg", "right": "/data/local-files/?d=shop%2F2.jpg"}

    def annotation(result: list[Any], **values: Any) -> dict[str, Any]:
        return {"id": 1, "result": result, "was_cancelled": False, "created_at": "2021-03-09T22:16:08.728353Z"} | values

    def selected(side: str) -> dict[str, Any]:
        return {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": side}}

    chosen = {"from_name": "neither", "to_name": "left", "type": "choices", "value": {"choices": ["both bad"]}}
    tasks = [
        {
            "id": 1,
            "data": local | {"batch": 3},
            "annotations": [
                annotation([selected("right")], completed_by=10),
                annotation([chosen], completed_by={"id": 1, "email": "a@b.example"}),
                annotation([], was_cancelled=True, completed_by=12),
                annotation([selected("left"), chosen], completed_by=13),
                annotation([selected("up")], completed_by=14),
            ],
        },
        {"data": local | {"left": "https://elsewhere.example/1.jpg"}, "annotations": [annotation([])]},
        {"data": local | {"left": "/data/upload/7/1.jpg"}, "annotations": [annotation([])]},
        {"data": local, "annotations": []},
        {"data": {"text1": "a"}, "annotations": [annotation([])]},
    ]
    (root / "export.json").write_text(json.dumps(tasks))
    reading = FORMATS.get("label-studio").read(root / "export.json")
    rows = list(reading)
    assert outcomes(rows)[:5] == [
        ((2, 1), None),
        ((1, 1), False),
        ((), None),
        "its annotation has 2 answers, and not one",
        "a result of type 'pairwise' says 'up', which is no answer here",
    ]
    assert [type(row) for row in rows[5:]] == [RefusedRow] * 4
    assert "another machine" in rows[5].reason and "within Label Studio" in rows[6].reason  # type: ignore[union-attr]
    names = [row.label.annotator for row in rows[:3] if isinstance(row, IncomingLabel)]
    assert names == ["label-studio-10", "a@b.example", "label-studio-12"]
    assert reading.unknown == {"data.batch": 1, "data.text1": 1}


def test_a_kto_list_as_published(tmp_path: Path) -> None:
    root = folder(tmp_path, "train/1.jpg", "train/2.jpg", "train/3.jpg")
    lines = ["file_name,caption,split,score", 'train/1.jpg,"a cat, ""black""",exclusive_win,1']
    lines += ["train/2.jpg,a cat,exclusive_lose,0", "train/3.jpg,a cat,intersections,0", "train/3.jpg,a cat,won,0"]
    (root / "train_processed_v3.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    reading = FORMATS.get("kto").read(root)
    rows = list(reading)
    assert outcomes(rows)[:2] == [((), True), ((), False)] and reading.unknown == {"score": 4}
    assert isinstance(rows[0], IncomingLabel) and rows[0].label.prompt == 'a cat, "black"'
    assert [type(row) for row in rows[2:]] == [RefusedRow, RefusedRow]
    (root / "train_processed_v3.csv").write_text("file_path,label\n")
    with pytest.raises(BadInput, match="no column 'file_name'"):
        FORMATS.get("kto").read(root)


def by_path(name: str) -> dict[str, Any]:
    """A line of our JSON lines that names a picture."""
    return {"prompt": "a cat", "pictures": [{"file": name}], "answer": {"mode": "thumb", "good": True}}


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "images/../../secret.png",
        "..\\secret.png",
        "/etc/hostname",
        "\\\\server\\share.png",
        "C:\\secret.png",
        "C:secret.png",
        "link.png",
        "linked/secret.png",
        "loop/x.png",
        "",
        ".",
        "images",
        "none.png",
        "a\0b.png",
        "x" * 5000,
    ],
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path / "set", "images/1.png")
    (tmp_path / "secret.png").write_bytes(png(9))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "linked").symlink_to(tmp_path)
    os.symlink("loop", root / "loop")
    (root / "labels.jsonl").write_text(json.dumps(by_path(name)) + "\n" + json.dumps(by_path("images/1.png")) + "\n")
    refused, taken = FORMATS.get("jsonl").read(root)
    assert isinstance(refused, RefusedRow) and isinstance(taken, IncomingLabel)
    assert not any(phrase in refused.reason for phrase in (str(tmp_path), "Traceback"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v | {"pictures": []}, "0 pictures"),
        (lambda v: v | {"pictures": v["pictures"] * 2}, "2 pictures"),
        (lambda v: v | {"pictures": [{"data": "%%%"}]}, "no base64"),
        (lambda v: v | {"pictures": [{}]}, "neither a file nor data"),
        (lambda v: v | {"pictures": [v["pictures"][0] | {"sha256": "0" * 64}]}, "not the one that its sha256 names"),
        (lambda v: v | {"answer": {"mode": "thumb", "ranks": [1]}}, "no rank"),
        (lambda v: v | {"answer": {"mode": "look"}}, "mode is"),
        (lambda v: v | {"answer": None}, "JSON object"),
        (lambda v: v | {"prompt": 7}, "no text"),
        (lambda v: v | {"prompt": "\ud800"}, "no valid text"),
        (lambda v: v | {"annotator": "x" * 81}, "more than 80"),
        (lambda v: v | {"annotator": "a\nb"}, "no name"),
        (lambda v: v | {"prompt": "a\0b"}, "NUL"),
        (lambda v: v | {"confidence": 0}, "no answer"),
        (lambda v: v | {"answered_at": "yesterday"}, "no time"),
        (lambda v: v | {"confidence": 7}, "from 0 to 1"),
        (lambda v: v | {"latency_ms": True}, "not a number"),
        (lambda v: v | {"latency_ms": float("nan")}, "not a number"),
        (lambda v: v | {"order": [1]}, "in some order"),
        (lambda v: v | {"purpose": "fun"}, "purpose"),
        (lambda v: v | {"is_blind": 1}, "neither true nor false"),
        (lambda v: v | {"id": "a\nb"}, "its id"),
        (lambda v: [v], "no JSON object"),
    ],
)
def test_a_line_that_is_wrong_costs_itself(tmp_path: Path, change: Callable[[Any], Any], reason: str) -> None:
    root = folder(tmp_path, "images/1.png")
    values = by_path("images/1.png") | {"mood": 1}
    wrong = json.dumps(change(values))
    (root / "labels.jsonl").write_text(
        f"{json.dumps(values)}\n{wrong}\nnot json\n\n{'[' * 5000}\n{json.dumps(values)}\n"
    )
    reading = FORMATS.get("jsonl").read(root)
    first, refused, no_json, deep, last = reading
    assert isinstance(first, IncomingLabel) and isinstance(last, IncomingLabel) and last.row == 5
    assert isinstance(refused, RefusedRow) and reason in refused.reason and refused.row == 2
    assert isinstance(no_json, RefusedRow) and isinstance(deep, RefusedRow)
    assert reading.unknown["mood"] >= 2


def test_what_only_looks_like_a_picture_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    root = folder(tmp_path, "images/1.png")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(root / "images/moving.png", save_all=True, append_images=frames[1:])
    Image.new("1", (12_000, 12_000)).save(root / "images/bomb.png")
    (root / "images/gif.png").write_bytes(b"GIF89a" + bytes(100))
    (root / "images/page.png").write_text("<html>")
    names = ("moving", "bomb", "gif", "page")
    (root / "labels.jsonl").write_text("".join(json.dumps(by_path(f"images/{name}.png")) + "\n" for name in names))
    rows = list(FORMATS.get("jsonl").read(root))
    assert [type(row) for row in rows] == [RefusedRow] * 4


LIST_FORMATS = ("hpdv2", "imagereward", "label-studio")


@pytest.mark.parametrize("name", LIST_FORMATS)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "ends in the middle"),
        (b"{}", "no JSON list"),
        (b"[", "ends in the middle"),
        (b"[]", "no rows"),
        (b"[{}", "ends in the middle"),
        (b"[{} {}]", "no JSON after entry 1"),
        (b'[{"a": }]', "Entry 1 of x.json is no JSON"),
        (b"\xff\xfe[", "not UTF-8"),
        (b"[" + b"[" * 100_000, "nested too deep"),
    ],
)
def test_lists_that_are_none_are_refused_in_a_sentence(tmp_path: Path, name: str, text: bytes, sentence: str) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(BadInput, match=sentence):
        list(FORMATS.get(name).read(tmp_path / "x.json"))


def test_a_list_is_read_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries over the borders of what is read at once, with and without spaces, and one that is too large."""
    monkeypatch.setattr(json_files, "_CHUNK", 7)
    monkeypatch.setattr(json_files, "MAX_ROW_BYTES", 4000)
    values = [
        {"n": 12345678901234567890, "text": "a,b]}\N{SNOWMAN}" * 20},
        {},
        {"deep": [[[{"x": [1, 2]}]]]},
        {"end": 1},
    ]
    for indent, separators in ((None, (",", ":")), (3, None)):
        (tmp_path / "x.json").write_text(json.dumps(values, indent=indent, separators=separators, ensure_ascii=False))
        assert [entry for _, entry in json_files.items(tmp_path / "x.json")] == values
    (tmp_path / "x.json").write_text(json.dumps(["x" * 10_000]))
    with pytest.raises(BadInput, match="or larger than"):
        list(json_files.items(tmp_path / "x.json"))
    (tmp_path / "x.json").write_text("[1, {}, null]")
    kinds = [type(entry) for _, entry in json_files.items(tmp_path / "x.json")]
    assert kinds == [RefusedRow, dict, RefusedRow]
