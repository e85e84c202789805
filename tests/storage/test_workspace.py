"""The workspace: one owner, and a sentence for a folder that cannot be used."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.storage.archive import Archive
from studio.storage.workspace import Workspace, workspace_error

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
    ],
)
def test_sentences(number: int, said: str) -> None:
    assert said in str(workspace_error(OSError(number, os.strerror(number)), "The workspace"))


def test_a_database_that_cannot_be_opened_lets_go_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "studio.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(WorkspaceError, match="corrupt"):
        Archive.open(tmp_path)
    Workspace.open(tmp_path).close()
