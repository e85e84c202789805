"""The folder of edits: no name leads out of it, what is written is whole, and a hash outlives a rename."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.storage import images
from studio.storage.edits import EditStore, slug

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def store(tmp_path: Path) -> EditStore:
    return EditStore(tmp_path / "workspace" / "edits")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("No more stars", "no-more-stars"),
        ("../../x", "x"),
        ("/etc/passwd", "etc-passwd"),
        ("C:\\CON", "c-con"),
        ("CON", "con"),
        (".", "edit"),
        ("", "edit"),
        ("⭐⭐", "edit"),
        ("Étoile – rouge", "etoile-rouge"),
        ("trailing dot.", "trailing-dot"),
        ("a\0b\nc", "a-b-c"),
        ("x" * 300, "x" * 60),
        ("a" * 59 + "-b", "a" * 59),
    ],
)
def test_names_become_slugs_and_stay_inside(store: EditStore, name: str, expected: str) -> None:
    assert slug(name) == expected
    stored = store.put(name, A, b"data")
    assert stored.id == f"{expected}-{'a' * 12}" and stored.path.parent == store.root
    assert stored.path.read_bytes() == b"data" and stored.nbytes == 4
    assert store.get(stored.id) == stored and store.list() == [stored]
    assert [path.name for path in store.root.parent.rglob("*") if path.is_file()] == [stored.path.name]


@pytest.mark.parametrize("ref", ["../../x", "..", "", ".", "/etc/passwd", "x" * 300, "a\0b", "-", "*", "CON"])
def test_what_is_asked_for_is_never_a_path(store: EditStore, tmp_path: Path, ref: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    store.put("inside", A, b"data")
    for ask in (store.get, store.remove):
        with pytest.raises(NotFound, match="There is no edit named") as raised:
            ask(ref)
        assert len(str(raised.value)) < 200
    assert len(store.list()) == 1 and (tmp_path / "x").exists()


def test_found_by_id_hash_former_name_and_slug(store: EditStore) -> None:
    one, two = store.put("Stars", A, b"1"), store.put("Circles", B, b"2")
    for ref in (one.id, "aaaaaaaaaaaa", "former-name-aaaaaaaaaaaa", "stars"):
        assert store.get(ref) == one
    assert store.get("circles") == two
    third = store.put("stars!", C, b"3")
    with pytest.raises(BadInput, match=f"Several edits are named 'stars': {one.id}, {third.id}"):
        store.get("stars")
    with pytest.raises(NotFound, match=f"Did you mean {two.id!r}"):
        store.get("circels")


def test_the_same_content_is_kept_once(store: EditStore) -> None:
    first = store.put("Stars", A, b"1")
    assert store.put("Other name", A, b"1") == first and len(store.list()) == 1


def test_a_rename_keeps_the_hash(store: EditStore) -> None:
    old = store.put("Stars", A, b"1")
    new = store.rename("stars", "Gone: stars", A, b"1'")
    assert new.id == "gone-stars-aaaaaaaaaaaa" and new.path.read_bytes() == b"1'"
    assert store.get(old.id) == new and store.list() == [new]
    assert store.rename(new.id, "gone STARS", A, b"1''").path == new.path
    assert store.get(new.id).path.read_bytes() == b"1''"
    with pytest.raises(ValueError):
        store.rename(new.id, "x", B, b"2")


def test_removed_is_gone(store: EditStore) -> None:
    stored = store.put("Stars", A, b"1")
    assert store.remove("stars") == stored and store.list() == [] and not stored.path.exists()


def test_strangers_in_the_folder_are_passed_over(store: EditStore, tmp_path: Path) -> None:
    stored = store.put("Stars", A, b"1")
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    for name in ("notes.txt", "Stars.safetensors", "CAPS-aaaaaaaaaaaa.safetensors", "short-abc.safetensors"):
        (store.root / name).write_bytes(b"?")
    (store.root / "folder-bbbbbbbbbbbb.safetensors").mkdir()
    if os.name == "posix":
        (store.root / "link-cccccccccccc.safetensors").symlink_to(outside)
    assert store.list() == [stored]
    with pytest.raises(NotFound):
        store.get("link-cccccccccccc")
    assert EditStore(store.root).list() == [stored]


def test_a_full_disk_leaves_nothing(store: EditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.put("Stars", A, b"1")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(images.os, "fsync", full)
    with pytest.raises(WorkspaceError, match="The edit cannot be written: the disk is full"):
        store.put("Circles", B, b"2")
    with pytest.raises(WorkspaceError, match="disk is full"):
        store.rename("stars", "other", A, b"1")
    assert store.list() == [kept] and [path.name for path in store.root.iterdir()] == [kept.path.name]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "edits").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="is not a folder"):
        EditStore(tmp_path / "edits")
