"""Files written whole, and for whom: what is for others follows the umask, the workspace's own are private."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.storage.images import ImageStore, write_durably

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere there are no such modes")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.usefixtures("umask")
def test_what_is_for_others_follows_the_umask(tmp_path: Path, mask: int, expected: int) -> None:
    os.umask(mask)
    write_durably(tmp_path / "a.png", b"x", private=False)
    assert mode(tmp_path / "a.png") == expected and [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.usefixtures("umask")
def test_a_file_for_others_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    for before in (0o600, 0o664):
        file.write_bytes(b"before")
        file.chmod(before)
        write_durably(file, b"after", private=False)
        assert mode(file) == before and file.read_bytes() == b"after"


@pytest.mark.usefixtures("umask")
def test_the_workspaces_own_are_private(tmp_path: Path) -> None:
    images = ImageStore(tmp_path)
    sha256 = images.put(b"x")
    images.put_account(sha256, b"y")
    assert [mode(images.path(sha256)), mode(images.account_path(sha256))] == [0o600, 0o600]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(file, b"after", private=False)
    assert file.read_bytes() == b"before" and [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_several_pictures_are_stored_as_each_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    single, together = ImageStore(tmp_path / "single"), ImageStore(tmp_path / "together")
    files = [(bytes([number]) * 10, ".png" if number % 2 else ".jpg") for number in range(6)]
    hashes = [single.put(data, ending) for data, ending in files]
    together.put_all(files[:2])
    together.put_all([*files, files[0]])
    for sha256 in hashes:
        paths = [store.find(sha256) for store in (single, together)]
        assert paths[0] and paths[1] and paths[0].name == paths[1].name
        assert paths[0].read_bytes() == paths[1].read_bytes() and paths[0].stat().st_mode == paths[1].stat().st_mode
    assert not list((tmp_path / "together").rglob("*.part"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkspaceError, match="The pictures"):
        together.put_all([(b"more", ".png"), (b"and more", ".png")])
    assert sorted(path.stem for path in (tmp_path / "together").rglob("*.*")) == sorted(hashes)
