"""The workspace: one owner, and a sentence for a folder that cannot be used."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.core.recipe import Recipe
from studio.storage import workspace as workspace_module
from studio.storage.archive import Archive
from studio.storage.workspace import DATABASE_NAME, LOCK_NAME, Workspace, workspace_error

HOLDER = """
import sys, time
from pathlib import Path
from studio.storage.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_makes_what_is_missing(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "deep" / "with space ⭐")
    assert workspace.images.is_dir() and workspace.logs.is_dir()
    workspace.close()
    workspace.close()


def test_a_second_owner_is_refused_naming_the_first(tmp_path: Path) -> None:
    first = Workspace.open(tmp_path)
    with pytest.raises(WorkspaceError, match=f"in use by process {os.getpid()}"):
        Workspace.open(tmp_path)
    first.close()
    Workspace.open(tmp_path).close()


def test_a_killed_owner_lets_go(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceError, match=f"process {holder.pid}"):
            Workspace.open(tmp_path)
        holder.kill()
    Workspace.open(tmp_path).close()


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorkspaceError, match="is not a folder"):
            Workspace.open(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WorkspaceError, match="read-only"):
            Workspace.open(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.ENOTDIR, "not a folder"),
        (errno.EIO, "cannot be used"),
        (errno.EMFILE, "too many files are open"),
        (errno.ENOENT, "its folder is gone"),
    ],
)
def test_sentences(number: int, said: str) -> None:
    assert said in str(workspace_error(OSError(number, os.strerror(number)), "The workspace"))


def test_a_database_that_cannot_be_opened_lets_go_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "studio.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(WorkspaceError, match="corrupt"):
        Archive.open(tmp_path)
    Workspace.open(tmp_path).close()


# -- moved, deleted, replaced ---------------------------------------------------------------------------------------


def move_away(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def move_away_and_begin_another(root: Path) -> None:
    move_away(root)
    Archive.open(root).close()


def replace_lock(root: Path) -> None:
    (root / LOCK_NAME).unlink()
    Workspace.open(root).close()  # as a second studio would


def delete(root: Path) -> None:
    shutil.rmtree(root)


def replace_database(root: Path) -> None:
    (root / DATABASE_NAME).rename(root / "away.db")
    (root / DATABASE_NAME).write_bytes((root / "away.db").read_bytes())


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be moved there")
@pytest.mark.parametrize("happens", [move_away, move_away_and_begin_another, replace_lock, delete, replace_database])
def test_a_workspace_that_is_not_where_it_was_takes_nothing(tmp_path: Path, happens: Callable[[Path], None]) -> None:
    root = tmp_path / "workspace"
    with closing(Archive.open(root)) as archive:
        job = archive.jobs.add("generate", {})
        kept = archive.keep_picture(b"one", job=job.id, recipe=Recipe(), made_by={}, place=0, seq=2)
        archive.edits.put("kept", "cd" * 32, b"edit")
        happens(root)
        there = sorted(tmp_path.rglob("*"))
        writes: list[Callable[[], object]] = [
            lambda: archive.jobs.add("generate", {}),
            lambda: archive.jobs.finish(job.id, "done"),
            lambda: archive.keep_picture(b"two", job=job.id, recipe=Recipe(), made_by={}, place=1, seq=3),
            lambda: archive.generations.favourite(kept.id, True),
            lambda: archive.grids.add({}, [Recipe()]),
            archive.purge,
        ]
        if happens is not replace_database:  # the folder is ours then
            writes.append(lambda: archive.edits.put("mine", "ab" * 32, b"edit"))
        if happens is replace_lock:  # in the others there is no such edit
            writes.append(lambda: archive.edits.remove("kept"))
        for write in writes:
            with pytest.raises(WorkspaceError, match="was moved, deleted or replaced while it was open"):
                write()
        assert sorted(tmp_path.rglob("*")) == there
        archive._database.close()  # and with it the connections there were
        there = sorted(tmp_path.rglob("*"))
        with pytest.raises(WorkspaceError, match="was moved, deleted or replaced while it was open"):
            archive.jobs.page(1)
        assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be moved there")
def test_a_workspace_that_is_moved_back_goes_on(tmp_path: Path) -> None:
    root, away = tmp_path / "workspace", tmp_path / "away"
    with closing(Archive.open(root)) as archive:
        root.rename(away)
        with pytest.raises(WorkspaceError, match="was moved"):
            archive.jobs.add("generate", {})
        with pytest.raises(WorkspaceError, match=f"process {os.getpid()}"):  # no second studio opens it there
            Workspace.open(away)
        away.rename(root)
        assert archive.jobs.get(archive.jobs.add("generate", {}).id).number == 1


# -- room -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [True, False], ids=["used", "new"])
def test_a_full_disk_is_told_as_such_and_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    root = tmp_path / "workspace"
    if used:
        Archive.open(root).close()

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(workspace_module.tempfile, "TemporaryFile", full)
        with pytest.raises(WorkspaceError, match=r"workspace cannot be written: the disk is full\. Free some space"):
            Archive.open(root)
    Archive.open(root).close()


# -- who may read it ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="no such modes there")
def test_what_an_older_version_left_open_is_closed(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    Archive.open(root).close()
    (root / "logs" / "engine.log").touch()
    (root / "edits" / "mine.safetensors").touch()
    (root / "exports").mkdir(0o755)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "shared").mkdir(0o755)
    (root / "cache").rmdir()
    (root / "cache").symlink_to(tmp_path / "shared")  # of the user's own making
    Archive.open(root).close()
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*") if not path.is_symlink()}
    assert {name for name, mode in modes.items() if mode & 0o077} == {"exports"}
    assert stat.S_IMODE(root.stat().st_mode) == 0o755  # one that is there keeps its own
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755


# -- what a killed owner leaves -------------------------------------------------------------------------------------

WRITERS = """
import os, signal, sys, tempfile
from pathlib import Path
from studio.storage.images import write_durably
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_durably(Path(sys.argv[1]), b"half")
"""
SHA256 = "0123456789abcdef" * 4


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"?")
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs a kill that runs no handler")
def test_what_a_killed_write_leaves_is_swept_by_the_next_owner(tmp_path: Path) -> None:
    target = tmp_path / "presets" / "guidance" / "mine.json"
    target.parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", WRITERS, str(target)], check=False)
    (leftover,) = target.parent.iterdir()
    assert leftover != target
    Workspace.open(tmp_path).close()
    assert not leftover.exists()


def test_a_start_sweeps_leftovers_everywhere_and_nothing_else(tmp_path: Path) -> None:
    half, earlier = "0123456789abcdef.part", "tmpab12_xyz.part"
    swept = [
        *(
            _file(tmp_path / folder / name)
            for folder in ("", "images/ab", "edits", "presets/guidance", "exports", "logs")
            for name in (half, earlier)
        ),
        _file(tmp_path / "cache" / SHA256 / "big.safetensors"),
        _file(tmp_path / "cache" / "tmpzz_9k2ab"),  # an upload that was still arriving
    ]
    stays = [
        _file(tmp_path / "images" / "ab" / f"{SHA256}.png"),
        _file(tmp_path / "edits" / "my.part"),
        _file(tmp_path / "presets" / "guidance" / "tmp.json"),
        _file(tmp_path / "Downloads" / half),  # a workspace may be a folder that holds other things
        _file(tmp_path / "cache" / "mine.txt"),
        _file(tmp_path / "cache" / "tmp" / "mine.txt"),
    ]
    Workspace.open(tmp_path).close()
    assert [path for path in swept if path.exists()] == [] and [path for path in stays if not path.exists()] == []
    assert not (tmp_path / "cache" / SHA256).exists()


def test_a_folder_for_files_on_their_way_is_swept_where_its_owner_was_killed(tmp_path: Path) -> None:
    owner = Workspace.open(tmp_path)
    left = [owner.scratch(), owner.scratch()]
    for folder in left:
        _file(folder / "mine" / "adapter_model.safetensors")
    owner.close()
    Workspace.open(tmp_path).close()
    assert len(set(left)) == 2 and not any(folder.exists() for folder in left)


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_the_sweep_follows_no_link(tmp_path: Path) -> None:
    elsewhere = _file(tmp_path / "elsewhere" / "tmpab12_xyz.part")
    workspace = tmp_path / "workspace"
    for folder, name in (("images", "link"), ("cache", SHA256)):
        (workspace / folder).mkdir(parents=True)
        (workspace / folder / name).symlink_to(elsewhere.parent)
    Workspace.open(workspace).close()
    assert elsewhere.exists() and not (workspace / "cache" / SHA256).is_symlink()


def test_what_a_living_owner_writes_is_not_swept(tmp_path: Path) -> None:
    owner = Workspace.open(tmp_path)
    being_written = [
        _file(tmp_path / "images" / "ab" / "tmpab12_xyz.part"),
        _file(tmp_path / "cache" / SHA256 / "a.png"),
    ]
    with pytest.raises(WorkspaceError, match="in use"):
        Workspace.open(tmp_path)
    assert all(path.exists() for path in being_written)
    owner.close()


def test_a_leftover_that_cannot_be_removed_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = _file(tmp_path / "images" / "ab" / "tmpab12_xyz.part")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    Workspace.open(tmp_path).close()
    assert leftover.exists()
