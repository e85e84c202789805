"""Imports and exports in the background: how far they are, what came of them, stops, and what is left of them."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.services.labels import exchange_runs, taking_in
from studio.services.labels.exchange import LabelExchange
from studio.services.labels.exchange_runs import ExchangeRuns
from studio.storage.archive import Archive
from tests.services.labels.test_exchange import archive, mixed_set

__all__ = ["archive"]  # the fixture


@pytest.fixture
def runs(archive: Archive) -> Iterator[ExchangeRuns]:
    runs = ExchangeRuns(archive, LabelExchange(archive))
    yield runs
    runs.close()


def scratch(archive: Archive) -> list[Path]:
    return list((archive.workspace.root / "cache").iterdir())


def test_a_set_comes_in_recognised_and_goes_out_as_one_file(
    tmp_path: Path, archive: Archive, runs: ExchangeRuns
) -> None:
    source, made = mixed_set(tmp_path)
    folder = archive.workspace.scratch()
    (folder / "mixed.jsonl").write_bytes(source.read_bytes())
    begun = runs.start_import(folder / "mixed.jsonl", "", "brought", folder)
    ended = runs.wait(begun.id)
    assert (ended.state, ended.format, ended.count) == ("done", "jsonl", len(made))
    assert ended.imported is not None and ended.imported.labels == len(made) and not folder.exists()

    for format, inside in (("jsonl", None), ("image-folder", {"metadata.jsonl", "images"}), ("pickapic", None)):
        run = runs.wait(runs.start_export(format).id)
        assert run.state == "done" and run.written is not None and run.file is not None, run.error
        if format == "jsonl":
            assert run.file.suffix == ".jsonl" and (run.count, run.total) == (len(made), len(made))
            continue
        with zipfile.ZipFile(run.file) as packed:
            names = {name.split("/")[0] for name in packed.namelist()}
        # Of Pick-a-Pic the second file comes along, without which it comes back as the columns have it.
        assert names == (inside or {"labels.parquet", ".labels.parquet.palimpsest"})
    assert [run.kind for run in runs.list()] == ["export", "export", "export", "import"]
    for run in runs.list():
        runs.forget(run.id)
    assert runs.list() == [] and scratch(archive) == []


def test_what_cannot_be_is_refused_before_it_begins_or_told_at_its_end(
    tmp_path: Path, archive: Archive, runs: ExchangeRuns
) -> None:
    source, _ = mixed_set(tmp_path)
    with pytest.raises(BadInput, match="only written"):
        runs.start_import(source, "onetrainer", "brought")
    with pytest.raises(NotFound, match="format of labels"):
        runs.start_export("csv")
    with pytest.raises(BadInput, match="needs a name"):
        runs.start_import(source, "jsonl", " ")
    with pytest.raises(BadInput, match="ties"):
        runs.start_export("jsonl", ties="no")
    with pytest.raises(NotFound, match="no import or export"):
        runs.stop("x")
    failed = runs.wait(runs.start_export("jsonl").id)  # there is no label yet
    assert failed.state == "failed" and "no label to write" in str(failed.error) and failed.file is None
    unlike = tmp_path / "unlike.jsonl"
    unlike.write_text('{"mood": 1}\n', encoding="utf-8")
    failed = runs.wait(runs.start_import(unlike, "", "brought").id)
    assert failed.state == "failed" and "No format is recognised" in str(failed.error)
    assert scratch(archive) == []


def test_what_is_stopped_keeps_what_was_read_and_a_closed_studio_waits_for_none(
    tmp_path: Path, archive: Archive, runs: ExchangeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, made = mixed_set(tmp_path)
    monkeypatch.setattr(taking_in, "AT_ONCE", 3)
    told, go_on = threading.Event(), threading.Event()
    put = runs._put

    def held(id: str, **values: object) -> None:
        put(id, **values)
        if values.get("count"):
            told.set()
            assert go_on.wait(60)

    monkeypatch.setattr(runs, "_put", held)
    run = runs.start_import(source, "jsonl", "brought")
    assert told.wait(60)
    assert runs.get(run.id).state == "running" and runs.get(run.id).count == 3
    with pytest.raises(BadInput, match="under way"):
        runs.forget(run.id)
    monkeypatch.setattr(exchange_runs, "MAX_RUNNING", 1)
    with pytest.raises(BadInput, match="under way"):
        runs.start_export("jsonl")
    runs.stop(run.id)
    go_on.set()
    assert runs.wait(run.id).state == "stopped"
    assert 3 <= len(list(archive.labels.reader.read(only_standing=False))) < len(made)
    runs.close()
    with pytest.raises(BadInput):
        runs.start_export("jsonl")
