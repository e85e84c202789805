"""Reports go by what was measured, outlive a rename of it, and hold the pictures they show."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import AssetError, BadInput, NotFound, WorkspaceError
from studio.core.recipe import Recipe
from studio.storage import reports
from studio.storage.archive import Archive
from studio.storage.reports import BASE, ReportKey
from tests.quick_workspaces import quick_workspaces as quick_workspaces

EDIT, MODEL = "ab" * 32, "cd" * 32
KEY = ReportKey(EDIT, MODEL, "preview.n48")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(tmp_path)
    yield opened
    opened.close()


def test_a_report_is_found_by_edit_model_and_suite_whatever_the_edit_is_called(archive: Archive) -> None:
    stored = archive.edits.put("No star", EDIT, b"weights")
    archive.reports.put(KEY, {"ua": 0.97, "of": "No star"})
    archive.edits.rename(stored.id, "Starless", EDIT, b"weights")
    assert archive.reports.get(KEY) == {"ua": 0.97, "of": "No star"}
    assert archive.reports.get(ReportKey(EDIT, MODEL, "standard")) is None
    assert archive.reports.get(ReportKey(BASE, MODEL, "preview.n48")) is None
    archive.reports.put(KEY, {"ua": 0.98})
    other = ReportKey(EDIT, "ef" * 32, "preview.n48")
    archive.reports.put(other, {"ua": 0.1})
    assert archive.reports.of_edit(EDIT) == [KEY, other] and archive.reports.get(KEY) == {"ua": 0.98}
    archive.edits.remove("starless")
    assert archive.reports.get(KEY) == {"ua": 0.98}  # and there again when the edit comes back
    assert archive.reports.of_edit("12" * 32) == []


@pytest.mark.parametrize(
    ("edit", "model", "suite"),
    [
        ("../etc", MODEL, "s"),
        (EDIT, "", "s"),
        (EDIT, MODEL, "../s"),
        (EDIT, MODEL, "a/b"),
        (EDIT, MODEL, ""),
        (EDIT, "base", "s"),
        (EDIT.upper(), MODEL, "s"),
    ],
)
def test_nothing_else_becomes_part_of_a_path(archive: Archive, edit: str, model: str, suite: str) -> None:
    with pytest.raises(BadInput, match="A report cannot be kept under the"):
        ReportKey(edit, model, suite)
    with pytest.raises(BadInput, match="which is no hash of an edit"):
        archive.reports.of_edit("..")


@pytest.mark.parametrize("report", [{"ua": float("nan")}, {"ua": object()}, {"big": "x" * reports.MAX_BYTES}])
def test_what_is_no_report_is_refused(archive: Archive, report: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        archive.reports.put(KEY, report)
    assert archive.reports.get(KEY) is None


@pytest.mark.parametrize("content", [b"", b'{"ua": ', b"[]", b"\xff"])
def test_a_damaged_report_is_told(archive: Archive, content: bytes) -> None:
    archive.reports.put(KEY, {"ua": 1}).write_bytes(content)
    with pytest.raises(AssetError, match="is damaged"):
        archive.reports.get(KEY)


def test_a_full_disk_keeps_the_report_before(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.reports.put(KEY, {"ua": 1})

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reports, "write_durably", full)
    with pytest.raises(WorkspaceError, match="disk is full"):
        archive.reports.put(KEY, {"ua": 2})
    assert archive.reports.get(KEY) == {"ua": 1}


def test_the_pictures_a_report_shows_are_not_purged_until_it_shows_others(archive: Archive) -> None:
    first, second = (
        archive.keep_picture(png, job=None, recipe=Recipe(), made_by={}, place=None, seq=None, origin="card")
        for png in (b"one", b"two")
    )
    archive.generations.set_deleted([first.id, second.id], True)
    archive.keep_report(KEY, {"shows": [first.id]}, [first.id])
    assert archive.purge() == (1, 1)
    with pytest.raises(NotFound):
        archive.keep_report(KEY, {"shows": [second.id]}, [second.id])
    assert archive.reports.get(KEY) == {"shows": [first.id]} and archive.purge() == (0, 0)
    archive.keep_report(KEY, {"shows": []})
    assert archive.purge() == (1, 1)
