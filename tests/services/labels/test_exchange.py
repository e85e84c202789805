"""Labels out of a workspace and into another: nothing is lost, nothing doubled, nobody's answers taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, Cancelled, NotFound
from studio.preference.answer import Answer
from studio.preference.formats import FOLDER, FORMATS
from studio.preference.label import Label
from studio.services.labels import taking_in
from studio.services.labels.exchange import LabelExchange
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.services.labels.taking_in import summary
from studio.storage.archive import Archive
from tests.preference.formats.mixed import Pictures, labels, png
from tests.services.labels.test_service import draw


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(tmp_path / "first")
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(tmp_path / "second")
    yield opened
    opened.close()


def mixed_set(folder: Path) -> tuple[Path, list[Label]]:
    """JSON lines of labels of every kind, also of another question, changed and taken back."""
    pictures = Pictures(folder / "store")
    made = labels(pictures)
    changed = replace(made[0], id="changed", answer=Answer.pair("tie"), supersedes=made[0].id)
    back = replace(made[1], id="back", supersedes=made[1].id, is_withdrawn=True)
    look = replace(made[0], id="look", question="look")
    second = replace(made[3], id="second", annotator="Berta")
    again = replace(made[3], id="again", purpose="repeat")
    made += [changed, back, look, second, again]
    source = folder / "mixed.jsonl"
    options = {"anonymise": False, "superseded": True, "checks": True}
    FORMATS.get("jsonl").write(made, pictures, source, _options(options))
    return source, made


def _options(values: dict[str, Any]) -> Any:
    from studio.core.params import load
    from studio.preference.exchange.options import ExportOptions

    return load(ExportOptions, values, "options")


EVERYTHING = {"anonymise": False, "superseded": True, "checks": True}


def test_every_kind_of_label_comes_in_as_it_was(tmp_path: Path, archive: Archive) -> None:
    source, made = mixed_set(tmp_path)
    imported = LabelExchange(archive).import_labels(source, "jsonl", "brought")
    assert (imported.labels, imported.known, imported.refused_count) == (len(made), 0, 0)
    assert imported.campaigns[0] == "brought" and set(imported.campaigns[1:]) == {
        "brought (best)",
        "brought (best worst)",
        "brought (ranking)",
        "brought (thumb)",
        "brought (pair, look)",
    }
    assert imported.foreign_share == 1 and not imported.unknown
    service = LabelService(archive)
    assert all(service.find(name).paused for name in imported.campaigns)
    stored = list(service.labels(only_standing=False))
    assert [replace(label, item=0, campaign="") for label in stored] == [
        replace(label, item=0, campaign="") for label in made
    ]
    standing = {label.id for label in service.labels()}
    assert {"changed", "look", "second"} <= standing and not {made[0].id, made[1].id, "back"} & standing
    files = [archive.images.find(picture.sha256) for label in stored for picture in label.pictures]
    assert all(path is not None and path.read_bytes() for path in files)
    same = [label for label in stored if label.id in (made[3].id, "second")]
    assert same[0].item == same[1].item and stored[-1].item != same[0].item


@pytest.mark.parametrize("name", ["jsonl", "image-folder", "pickapic"])
def test_out_in_and_out_again_are_the_same_bytes(tmp_path: Path, archive: Archive, other: Archive, name: str) -> None:
    source, _ = mixed_set(tmp_path)
    LabelExchange(archive).import_labels(source, "jsonl", "brought")
    extension = FORMATS.get(name).extensions[0]
    first, second = tmp_path / f"one{extension}", tmp_path / "again" / f"one{extension}"
    written = LabelExchange(archive).export_labels(first, name)
    LabelExchange(other).import_labels(first, name, "from the first")
    again = LabelExchange(other).export_labels(second, name)
    assert again.labels == written.labels > 5
    paths = [first] if extension != FOLDER else sorted(path for path in first.rglob("*") if path.is_file())
    paths += [path for path in [first.with_name(f".{first.name}.palimpsest")] if path.is_file()]
    for path in paths:
        assert (second.parent / path.relative_to(tmp_path)).read_bytes() == path.read_bytes()


def test_the_same_source_twice_doubles_nothing(tmp_path: Path, archive: Archive) -> None:
    source, made = mixed_set(tmp_path)
    exchange = LabelExchange(archive)
    exchange.import_labels(source, "jsonl", "brought")
    imported = exchange.import_labels(source, "jsonl", "brought")
    assert (imported.labels, imported.known) == (0, len(made))
    assert f"{len(made)} were there already." in list(summary(imported))


def test_a_stopped_import_keeps_what_was_read_and_goes_on(
    tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "AT_ONCE", 3)
    source, made = mixed_set(tmp_path)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 7

    exchange, told = LabelExchange(archive), []
    with pytest.raises(Cancelled):
        exchange.import_labels(source, "jsonl", "brought", stop=stop)
    assert len(list(archive.labels.reader.read(only_standing=False))) == 7
    imported = exchange.import_labels(source, "jsonl", "brought", progress=lambda row, total: told.append(row))
    assert (imported.labels, imported.known) == (len(made) - 7, 7) and told == sorted(told)
    assert [label.id for label in archive.labels.reader.read(only_standing=False)] == [label.id for label in made]


def test_a_file_does_not_take_back_what_others_answered(tmp_path: Path, archive: Archive) -> None:
    source, made = mixed_set(tmp_path)
    exchange = LabelExchange(archive)
    exchange.import_labels(source, "jsonl", "brought")
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    evil = [dict(lines[2], id="evil", supersedes="label-3"), dict(lines[3], id="worse", supersedes="label-3")]
    evil.append(dict(lines[3], id="worst", supersedes="label-3", is_withdrawn=True))
    other_file = tmp_path / "evil.jsonl"
    other_file.write_text("".join(json.dumps(values) + "\n" for values in evil), encoding="utf-8")
    imported = exchange.import_labels(other_file, "jsonl", "another")
    assert "label-3" in {label.id for label in archive.labels.reader.read()}
    assert imported.labels == 2 and [row.reason for row in imported.refused] == [
        "it takes back a label that is not there"
    ]


def test_rows_that_are_refused_are_told_with_their_reasons(tmp_path: Path, archive: Archive) -> None:
    good = {"prompt": "a", "pictures": [{"data": _base64(png(1))}], "answer": {"mode": "thumb", "good": True}}
    bad = [good | {"answer": {"mode": "x"}}, good | {"pictures": [{"data": _base64(png(1)[:60])}]}]
    source = tmp_path / "x.jsonl"
    source.write_text("".join(json.dumps(values | {"mood": 1}) + "\n" for values in [*bad, good]))
    imported = LabelExchange(archive).import_labels(source, "jsonl", "brought")
    assert imported.labels == 1 and [row.row for row in imported.refused] == [1, 2]
    text = "\n".join(summary(imported))
    assert "2 rows were refused:" in text and "row 2: a picture cannot be read" in text
    assert "Nothing was done with: mood." in text and "100% were drawn by no model" in text


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def test_campaigns_that_are_asked_take_no_files(tmp_path: Path, archive: Archive) -> None:
    LabelService(archive).create(CampaignPlan("stars", source="brought"))
    source, _ = mixed_set(tmp_path)
    exchange = LabelExchange(archive)
    for name, reason in (("stars", "takes no labels from files"), ("", "needs a name"), ("x" * 79, "at most 80")):
        with pytest.raises(BadInput, match=reason):
            exchange.import_labels(source, "jsonl", name)
    with pytest.raises(NotFound, match="format of labels"):
        exchange.import_labels(source, "csv", "brought")
    with pytest.raises(BadInput, match="no rows"):
        (tmp_path / "empty.jsonl").write_text("\n")
        exchange.import_labels(tmp_path / "empty.jsonl", "jsonl", "brought")
    assert [campaign.name for campaign in archive.labels.campaigns.list()] == ["stars"]


def test_what_was_answered_here_goes_out_under_hashed_names(tmp_path: Path, archive: Archive, other: Archive) -> None:
    service, exchange = LabelService(archive), LabelExchange(archive)
    campaign = service.create(CampaignPlan("stars", source="planned"))
    numbers = draw(archive, 4)
    from studio.storage.labels.items import NewItem

    service.add_items(
        campaign.id, [NewItem("a star", (numbers[0], numbers[1])), NewItem("a sun", (numbers[2], numbers[3]))]
    )
    service.annotator("Anna")
    for number, assignment in enumerate(service.lease(campaign.id, "Anna", 2)):
        service.vote(f"vote-{number}", assignment.token, Answer.pair("first"))
    for file in ("a", "b"):
        written = exchange.export_labels(tmp_path / f"{file}.parquet", "pickapic", ["stars"])
        assert written.labels == 2 and written.pictures == 4
    second = [tmp_path / f".{file}.parquet.palimpsest" for file in ("a", "b")]
    assert second[0].read_bytes() == second[1].read_bytes() and b"Anna" not in second[0].read_bytes()
    assert b"anon-" in second[0].read_bytes()
    named = exchange.export_labels(tmp_path / "c.jsonl", "jsonl", ["stars"], options={"anonymise": False})
    assert named.labels == 2 and "Anna" in (tmp_path / "c.jsonl").read_text(encoding="utf-8")
    imported = LabelExchange(other).import_labels(tmp_path / "a.parquet", "pickapic", "theirs")
    assert imported.labels == 2 and imported.foreign_share == 0  # our PNGs say how they were made
    recipes = [p.recipe for label in LabelService(other).labels() for p in label.pictures]
    assert all(recipe is not None and recipe.width == 32 for recipe in recipes)
    with pytest.raises(BadInput, match="has no field 'tie'"):
        exchange.export_labels(tmp_path / "d.parquet", "pickapic", options={"tie": "drop"})
    with pytest.raises(NotFound):
        exchange.export_labels(tmp_path / "d.parquet", "pickapic", ["suns"])


def test_a_snapshot_goes_out_without_what_it_holds_out(tmp_path: Path, archive: Archive) -> None:
    source, _ = mixed_set(tmp_path)
    exchange, service = LabelExchange(archive), LabelService(archive)
    exchange.import_labels(source, "jsonl", "brought")
    snapshot = service.snapshot("frozen", held_out_share=0.5)
    written = exchange.export_labels(tmp_path / "a.jsonl", "jsonl", snapshot="frozen")
    assert written.labels == len(snapshot.training) and snapshot.held_out
    assert written.remarks == [f"{len(snapshot.held_out)} labels were not written: the snapshot holds them out."]
