"""Edits in a workspace: edits/<slug>-<hash>.safetensors, written whole or not at all.

The hash, 12 hex digits of the edit's own, is what counts: an edit keeps it when it is renamed, so that recipes which
name it go on working. No text of a user's ever becomes part of a path: names are reduced to a slug, and what is asked
for is looked up among the files there are.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from studio.core.errors import BadInput, NotFound
from studio.storage.images import write_durably
from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

MAX_SLUG_CHARS = 60
_HASH_CHARS = 12
_NAME = re.compile(rf"(?P<slug>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-(?P<hash>[0-9a-f]{{{_HASH_CHARS}}})\.safetensors")


@dataclass(frozen=True)
class StoredEdit:
    """A file of the folder.

    id: what recipes call it, <slug>-<hash>.
    sha256_start: the hash's 12 digits.
    """

    id: str
    slug: str
    sha256_start: str
    path: Path
    nbytes: int
    changed_at: datetime


class EditStore:
    """The folder of edits. Thread-safe in that a file under its final name never changes."""

    def __init__(self, root: Path, check: Callable[[], None] = lambda: None) -> None:
        """Make the folder if need be. Raises WorkspaceError.

        check: called before each change, may raise WorkspaceError (the workspace was moved).
        """
        self.root = root
        self._check = check
        try:
            root.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise workspace_error(error, f"The folder {root}") from None

    def put(self, name: str, sha256: str, data: bytes) -> StoredEdit:
        """Store a file; it is on disk, name and content, when this returns.

        name: what the user calls the edit.
        sha256: of the edit, not of the file.
        Content that is there already, under whatever name, stays as it is and is given.
        Raises WorkspaceError if the disk is full or cannot be written.
        """
        for stored in self.list():
            if stored.sha256_start == sha256[:_HASH_CHARS]:
                return stored
        return self._write(name, sha256, data)

    def list(self) -> list[StoredEdit]:
        """Give all edits, by slug. Other files of the folder, and links that lead out of it, are passed over."""
        edits: list[StoredEdit] = []
        inside = self.root.resolve()
        try:
            files = sorted(self.root.iterdir()) if self.root.is_dir() else []
        except OSError as error:
            raise workspace_error(error, f"The folder {self.root}") from None
        for path in files:
            match = _NAME.fullmatch(path.name)
            with contextlib.suppress(OSError):  # deleted meanwhile, or on a disk that does not answer for it
                if match and path.is_file() and path.resolve().is_relative_to(inside):
                    edits.append(_stored(path, match["slug"], match["hash"]))
        return edits

    def get(self, ref: str) -> StoredEdit:
        """Find an edit as `named` does. Raises NotFound, BadInput if several edits have that slug."""
        stored = self.list()
        matches = named(stored, ref)
        if not matches:
            close = difflib.get_close_matches(ref, [edit.id for edit in stored], n=1, cutoff=0.4)
            hint = f"Did you mean {close[0]!r}?" if close else "`edits list` shows those there are."
            raise NotFound(f"There is no edit named {ref[:60]!r}.", hint, field="edits")
        if len(matches) > 1:
            raise BadInput(f"Several edits are named {ref!r}: {', '.join(edit.id for edit in matches)}.", field="edits")
        return matches[0]

    def remove(self, ref: str) -> StoredEdit:
        """Delete an edit's file; give what it was. Raises NotFound, BadInput as `get` does, WorkspaceError."""
        stored = self.get(ref)
        self._check()
        try:
            stored.path.unlink(missing_ok=True)
        except OSError as error:
            raise workspace_error(error, f"The edit {stored.id}") from None
        return stored

    def rename(self, ref: str, name: str, sha256: str, data: bytes) -> StoredEdit:
        """Store the same edit under another name: the new file is whole before the old one goes."""
        old = self.get(ref)
        if old.sha256_start != sha256[:_HASH_CHARS]:
            raise ValueError("a rename keeps the edit's content")
        new = self._write(name, sha256, data)
        if new.path != old.path:
            try:
                old.path.unlink(missing_ok=True)
            except OSError as error:
                raise workspace_error(error, f"The edit {old.id}") from None
        return new

    def _write(self, name: str, sha256: str, data: bytes) -> StoredEdit:
        start = sha256[:_HASH_CHARS]
        path = self.root / f"{slug(name)}-{start}.safetensors"
        self._check()
        try:
            write_durably(path, data)
        except OSError as error:
            raise workspace_error(error, "The edit") from None
        return _stored(path, slug(name), start)


def named(stored: Sequence[StoredEdit], ref: str) -> Sequence[StoredEdit]:
    """The edits that a ref may mean: by id, else by hash, with or without a former slug, else by slug."""
    start = ref.rpartition("-")[2]
    matches = [edit for edit in stored if edit.id == ref] or [edit for edit in stored if edit.sha256_start == start]
    return matches or [edit for edit in stored if edit.slug == ref]


def slug(name: str) -> str:
    """Give a name as lower-case letters, digits and single dashes, at most 60 of them; "edit" if nothing is left.

    With the hash behind it no such name is one that a system reserves (CON, NUL), nor do two differ by case alone.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARS].strip("-") or "edit"


def _stored(path: Path, name: str, start: str) -> StoredEdit:
    stat = path.stat()
    return StoredEdit(f"{name}-{start}", name, start, path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, tz=UTC))
