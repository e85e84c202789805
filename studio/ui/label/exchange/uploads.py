"""Files of sets of labels that a page has sent, until they are taken in: each set a folder of the workspace's own."""

from __future__ import annotations

import re
import shutil
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.services.labels.zipped import MAX_FILES, only_folder, place_of, unpack

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_SETS = 8  # that wait; of more, the one that waits longest is forgotten
_ID = re.compile(r"[a-z0-9]{16,64}")


class Uploads:
    """Those of all pages, each known by an id that its page has drawn. Thread-safe."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._folders: OrderedDict[str, Path] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def place(self, id: str, name: str) -> Path:
        """Where a file of a set goes, whose folder is there then. name: its place in the set, with forward slashes.

        Raises BadInput for a name that leads elsewhere, one that is there, or too many files; WorkspaceError.
        """
        if not _ID.fullmatch(id):
            raise BadInput(f"{shown(id)} names no set of files.", "Load the page again.")
        try:
            path = place_of(name)
        except BadInput as error:
            raise BadInput(f"The set {error.message}.") from None
        with self._lock:
            if id not in self._folders:
                self._folders[id] = self._studio.archive.workspace.scratch()
                self._counts[id] = 0
            forgotten = [self._folders.popitem(last=False)[1] for _ in range(len(self._folders) - MAX_SETS)]
            self._counts[id] += 1
            if self._counts[id] > MAX_FILES:
                raise BadInput(f"A set has at most {MAX_FILES:,} files.", "Pack it, or take it in in parts.")
            target = self._folders[id] / "set" / path
        for folder in forgotten:
            shutil.rmtree(folder, ignore_errors=True)
        if target.exists():
            raise BadInput(f"There are two files {name[:80]!r} in it.", "Choose the folder they are in.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The file {name[:80]!r} cannot be put there: {error.strerror or error}.") from None
        return target

    def source(self, id: str) -> Path:
        """What is read of a set: its only file, its folder, or what a zip file holds, which is unpacked.

        Raises NotFound for a set that is not there any more, or empty; BadInput for a zip file that cannot be unpacked.
        """
        folder = self.folder(id)
        source = only_folder(folder / "set") if (folder / "set").is_dir() else folder
        files = list(source.iterdir()) if source != folder else []
        if not files:
            raise NotFound("There are no files yet.", "Choose them first.")
        if len(files) != 1 or not files[0].is_file():
            return source
        if files[0].suffix.lower() != ".zip":
            return files[0]
        unpacked = folder / "unpacked" / files[0].stem
        if unpacked.is_dir():
            return _inside(unpacked)
        unpacked.mkdir(parents=True)
        try:
            unpack(files[0], unpacked)
        except BaseException:
            shutil.rmtree(unpacked, ignore_errors=True)
            raise
        return _inside(unpacked)

    def hand_over(self, id: str) -> None:
        """Forget a set whose folder is somebody else's to remove from now on."""
        with self._lock:
            self._folders.pop(id, None)
            self._counts.pop(id, None)

    def forget(self, id: str) -> None:
        """Remove a set, if it is there."""
        with self._lock:
            folder = self._folders.pop(id, None)
            self._counts.pop(id, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self, id: str) -> Path:
        """The folder of a set. Raises NotFound for one that is not there any more."""
        with self._lock:
            folder = self._folders.get(id)
        if folder is None:
            raise NotFound("These files are not waiting any more.", "Choose them again.")
        return folder


def _inside(folder: Path) -> Path:
    """Of what was unpacked: its only file, or its folder. Nobody packs a set of one file but to make it smaller."""
    root = only_folder(folder)
    files = list(root.iterdir())
    return files[0] if len(files) == 1 and files[0].is_file() else root
