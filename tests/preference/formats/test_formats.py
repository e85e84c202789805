"""What every format holds to: labels of every kind go out, none vanishes unsaid, and what is carried comes back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from studio.core.errors import BadInput, Cancelled
from studio.preference.answer import Answer
from studio.preference.exchange import rows
from studio.preference.exchange.incoming import IncomingLabel
from studio.preference.exchange.options import ExportOptions
from studio.preference.formats import FOLDER, FORMATS, Format, recognised
from studio.preference.label import Label
from tests.preference.formats.mixed import Pictures, labels

OPEN = ExportOptions(anonymise=False, validation=0)
WAYS = [(name, extension) for name, format in FORMATS.items() for extension in format.extensions]
READ = [(name, extension) for name, extension in WAYS if FORMATS.get(name).reads]
both_ways = pytest.mark.parametrize(("name", "extension"), WAYS)
read_ways = pytest.mark.parametrize(("name", "extension"), READ)


def read(format: Format, source: Path) -> list[IncomingLabel]:
    """All labels of a source in which no row is wrong."""
    came = list(format.read(source))
    assert all(isinstance(row, IncomingLabel) for row in came), [
        row for row in came if not isinstance(row, IncomingLabel)
    ]
    return [row for row in came if isinstance(row, IncomingLabel)]


def contents(target: Path) -> dict[str, bytes]:
    """Files of an export by their paths."""
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    return {
        path.relative_to(target.parent if target.is_file() else target).as_posix(): path.read_bytes() for path in files
    }


def carried(format: Format, label: Label) -> bool:
    """Whether a format has a place for something a label says, by what it declares."""
    carries, answer = format.carries, label.answer
    better, ties, judged = answer.comparisons(), answer.ties(), rows.verdicts(label)
    return (
        "all" in carries
        or ("pairs" in carries and bool(better))
        or ("ties" in carries and bool(ties))
        or ("unpaired" in carries and bool(judged))
        or ("rankings" in carries and answer.mode == "ranking")
    )


@both_ways
def test_every_label_is_written_or_counted_with_its_reason(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    made = labels(pictures)
    told: list[tuple[int, int]] = []
    target = tmp_path / "out" / f"set{extension}"
    written = format.write(made, pictures, target, OPEN, lambda count, total: told.append((count, total)))
    assert written.labels + sum(written.left_out.values()) == len(made)
    skips = [label for label in made if label.answer.skipped]
    expected = [label for label in made if carried(format, label)]
    assert written.labels - len(expected) in (0, len(skips) if name == "label-studio" else 0)
    assert written.rows >= written.labels - len(skips) or name == "kto"
    assert written.pictures > 0 and told[-1] == (len(made), len(made))
    assert target.is_dir() == (extension == FOLDER)
    assert [path.name for path in target.parent.iterdir() if path.name.endswith(".part")] == []


@both_ways
def test_the_same_labels_give_the_same_bytes(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    made = labels(pictures)
    for folder in ("a", "b"):
        format.write(made, pictures, tmp_path / folder / f"set{extension}", ExportOptions(salt="grain"))
    first, second = (contents(tmp_path / folder / f"set{extension}") for folder in ("a", "b"))
    for files in (first, second):  # these name the folder they are in
        files.pop("concepts.json", None)
        files.pop("multidatabackend.json", None)
    assert first == second


@read_ways
def test_what_went_out_comes_in_and_goes_out_as_the_same_bytes(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    made = labels(pictures)
    target, again = tmp_path / "a" / f"set{extension}", tmp_path / "b" / f"set{extension}"
    format.write(made, pictures, target, OPEN)
    came = read(format, target)
    store = Pictures(tmp_path / "other")
    for incoming in came:
        assert [store.put(data) for data in incoming.files] == [p.sha256 for p in incoming.label.pictures]
        assert all((p.width, p.height) == (12, 12) and p.foreign for p in incoming.label.pictures)
    format.write([incoming.label for incoming in came], store, again, OPEN)
    first, second = contents(target), contents(again)
    if not {"all"} & format.carries and name != "pickapic":  # ids are given anew where the format has no place for them
        came_again = read(format, again)
        assert [(i.label.prompt, i.label.pictures, i.label.answer) for i in came_again] == [
            (i.label.prompt, i.label.pictures, i.label.answer) for i in came
        ]
        first = {path: data for path, data in first.items() if path.endswith(".png")}
        second = {path: data for path, data in second.items() if path.endswith(".png")}
    assert first == second


@read_ways
def test_what_is_carried_comes_back(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    made = labels(pictures)
    target = tmp_path / f"set{extension}"
    format.write(made, pictures, target, OPEN)
    came = [incoming.label for incoming in read(format, target)]
    if "all" in format.carries:
        assert [replace(label, item=0, campaign="") for label in made] == came
        return
    if "pairs" in format.carries:
        assert better(came) == better(made)
    if "ties" in format.carries:
        assert equal(came) == equal(made)
    if "rankings" in format.carries:
        full = [
            answer_of(label) for label in made if label.answer.mode == "ranking" and len(set(label.answer.ranks)) > 1
        ]
        assert full and all(any(answer_of(label) == ranking for label in came) for ranking in full)
    if "unpaired" in format.carries:
        judged = {(p.sha256, v.good) for label in made for v in rows.verdicts(label) for p in [v.picture]}
        assert {(label.pictures[0].sha256, label.answer.good) for label in came} == judged


def better(some: list[Label]) -> Counter[tuple[str, str, str]]:
    """Prompt, winner and loser of all pairs of which one is better."""
    return Counter(
        (label.prompt, label.pictures[c.winner].sha256, label.pictures[c.loser].sha256)
        for label in some
        for c in label.answer.comparisons()
    )


def equal(some: list[Label]) -> Counter[frozenset[str]]:
    """Pairs that were said to be equal."""
    return Counter(
        frozenset((label.pictures[i].sha256, label.pictures[j].sha256))
        for label in some
        for i, j in label.answer.ties()
    )


def answer_of(label: Label) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    return label.prompt, tuple(p.sha256 for p in label.pictures), label.answer.ranks


@both_ways
def test_options_choose_what_is_written(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    base = labels(pictures)[0]
    changed = replace(base, id="changed", answer=Answer.pair("second"), supersedes=base.id)
    taken_back = replace(base, id="back", supersedes="other", is_withdrawn=True)
    check = replace(base, id="check", purpose="check")
    repeat = replace(base, id="repeat", purpose="repeat")
    revealed = replace(base, id="revealed", is_blind=False)
    other = replace(base, id="look", question="look")
    made = [base, changed, taken_back, check, repeat, revealed, other]
    keeps_questions = "all" in format.carries

    def count(file: str, **options: object) -> int:
        chosen = ExportOptions.model_validate({"anonymise": False, **options})
        return format.write(made, pictures, tmp_path / file / f"set{extension}", chosen).labels

    assert count("usual") == (2 if keeps_questions else 1)
    assert count("old", superseded=True) == (4 if keeps_questions else 3)
    assert count("checks", checks=True) == (5 if keeps_questions else 4)
    assert count("first", checks=True, limit=2) == 2
    assert count("look", question="look") == (2 if keeps_questions else 1)


@both_ways
def test_names_are_hashed_unless_one_wants_them(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    made = labels(pictures)
    format.write(made, pictures, tmp_path / "a" / f"set{extension}")
    assert not [path for path, data in contents(tmp_path / "a" / f"set{extension}").items() if b"Anna" in data]


@both_ways
def test_a_stop_leaves_nothing(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    base = labels(pictures)
    made = [replace(label, id=f"{n}-{label.id}") for n in range(8) for label in base]
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 5

    target = tmp_path / "out" / f"set{extension}"
    with pytest.raises(Cancelled):
        format.write(made, pictures, target, OPEN, stop=stop)
    assert not target.parent.exists() or not list(target.parent.iterdir())


@both_ways
def test_nothing_to_write_is_one_sentence(tmp_path: Path, name: str, extension: str) -> None:
    format, pictures = FORMATS.get(name), Pictures(tmp_path / "store")
    (check,) = [replace(label, purpose="check") for label in labels(pictures)[:1]]
    for none, reason in (([], "There are none"), ([check], "1 a check, a repeat")):
        with pytest.raises(BadInput, match="no label to write") as refusal:
            format.write(none, pictures, tmp_path / "out" / f"set{extension}", OPEN)
        assert reason in str(refusal.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_each_format_wrote_is_recognised_as_it_and_nothing_else_is(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "store")
    made = labels(pictures)
    for name, extension in READ:
        target = tmp_path / name / f"set{extension}"
        target.parent.mkdir(exist_ok=True)
        FORMATS.get(name).write(made, pictures, target, OPEN)
        assert recognised(target) == name, (name, extension)
    for file, text in (("a.json", "[1]"), ("b.jsonl", "{"), ("c.csv", "a,b"), ("d.parquet", "x"), ("e.txt", "{}")):
        (tmp_path / file).write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match="No format is recognised"):
            recognised(tmp_path / file)
