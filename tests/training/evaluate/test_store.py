"""What is kept of an evaluation on disk, when writing fails or is cut short."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.training.evaluate import store as storing
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts
from studio.training.evaluate.store import FileStore, count


def row(seed: int) -> tuple[Case, Facts]:
    return Case("a red star", seed, negative="a blue star"), Facts(f"{seed:064x}", {"saturation": seed / 3})


def seeds(path: Path) -> list[int]:
    return sorted(seed for _, _, seed in storing.read(path))


def test_a_line_that_was_cut_short_does_not_take_the_next_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    FileStore(path).add([row(1), row(2), row(3)])
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 30, whole.index(b"\n") + 1, 3, 0):
        path.write_bytes(whole[:length])
        before = seeds(path)
        FileStore(path).add([row(4)])
        assert seeds(path) == [*before, 4]


def test_a_file_of_something_else_is_read_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert storing.read(path) == {} and count(path) == 0 and storing.read(tmp_path) == {}
    path.write_bytes(b"\xff\x00 what\n00000000 {}\n" + b"0" * 100)
    assert storing.read(path) == {}
    FileStore(path).add([row(1)])
    assert seeds(path) == [1]


def test_a_full_disk_is_told_tried_again_and_at_last_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, full = tmp_path / "a.jsonl", OSError(errno.ENOSPC, "No space left on device")
    append = storing._append

    def refuse(path: Path, data: bytes) -> None:
        raise full

    kept = FileStore(path)
    monkeypatch.setattr(storing, "_append", refuse)
    kept.add([row(1)])
    assert "disk is full" in kept.trouble and kept.get(row(1)[0]) is not None and not path.exists()
    with pytest.raises(WorkspaceError, match="disk is full"):
        kept.close()
    monkeypatch.setattr(storing, "_append", append)
    kept.add([row(2)])
    assert kept.trouble == "" and seeds(path) == [1, 2]
    kept.close()
    assert count(path) == 2
