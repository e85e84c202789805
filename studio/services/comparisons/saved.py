"""Comparisons that are kept under a name: comparisons/<hash of the name>.json, each written whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.services.comparisons.comparison import MAX_JSON_BYTES, MAX_NAME_CHARS, Comparison
from studio.storage.images import write_durably
from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

FOLDER = "comparisons"
MAX_SAVED = 500
_BEFORE = ".before"  # what was kept under the name before the last saving


@dataclass(frozen=True)
class SavedComparison:
    """One of the list.

    name: by which it is loaded.
    rows, columns: how many it has.
    problem: why it cannot be loaded, "" if it can; the version before may be there all the same.
    """

    name: str
    saved_at: datetime
    rows: int = 0
    columns: int = 0
    problem: str = ""


class SavedComparisons:
    """The folder of comparisons. Thread-safe: a file under its final name is replaced, never changed."""

    def __init__(self, workspace: Path, check: Callable[[], None] = lambda: None) -> None:
        """check: called before each change, may raise WorkspaceError (the workspace was moved)."""
        self._folder = workspace / FOLDER
        self._check = check

    def save(self, comparison: Comparison) -> SavedComparison:
        """Keep a comparison under its name, in place of the one of that name; that stays beside it.

        Raises BadInput for no name, a name of blanks or ends that print nothing, or more than 500; WorkspaceError.
        """
        name = checked_name(comparison.name)
        path, data = self._path(name), comparison.to_json().encode()
        if len(data) > MAX_JSON_BYTES:
            raise BadInput(f"A comparison is kept with at most {MAX_JSON_BYTES // 1_000_000} MB of JSON.", field="rows")
        if not path.is_file() and len(list(self._folder.glob("*.json"))) >= MAX_SAVED:
            raise BadInput(f"A workspace keeps at most {MAX_SAVED} comparisons.", "Delete some that are old.")
        self._check()
        try:
            self._folder.mkdir(PRIVATE_FOLDER, exist_ok=True)  # in a folder that is there: see presets
            if path.is_file() and not _entry(path).problem:  # the last good one is kept
                write_durably(path.with_suffix(_BEFORE), path.read_bytes())
            write_durably(path, data)
        except OSError as error:
            raise workspace_error(error, f"The comparison {name}") from None
        return _entry(path)

    def list(self) -> list[SavedComparison]:
        """Give all of them, by name; a broken one with its problem, and without hiding the others."""
        return sorted(map(_entry, self._folder.glob("*.json")), key=lambda entry: entry.name.casefold())

    def load(self, name: str) -> Comparison:
        """Give one; of a broken one the version before. Raises NotFound, BadInput for one that cannot be read."""
        path = self._path(name)
        if not path.is_file():
            raise NotFound(f"There is no saved comparison named {shown(name)}.")
        try:
            return _read(path)
        except StudioError:
            previous_version = path.with_suffix(_BEFORE)
            if not previous_version.is_file():
                raise
            return _read(previous_version)

    def remove(self, name: str) -> None:
        """Delete one; its pictures stay in the history. Raises NotFound, WorkspaceError."""
        path = self._path(name)
        if not path.is_file():
            raise NotFound(f"There is no saved comparison named {shown(name)}.")
        self._check()
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(_BEFORE).unlink(missing_ok=True)
        except OSError as error:
            raise workspace_error(error, f"The comparison {name}") from None

    def _path(self, name: str) -> Path:
        # A hash, so that no text of a user's becomes part of a path.
        return self._folder / f"{hashlib.sha256(name.casefold().encode()).hexdigest()[:24]}.json"


def checked_name(name: str) -> str:
    """Raises BadInput for what cannot name a saved comparison."""
    if not name or name != name.strip() or not name.isprintable():
        allowed = f"1 to {MAX_NAME_CHARS} printable characters without blanks at its ends"
        raise BadInput(f"The name of a comparison is {allowed}; it cannot be {shown(name)}.", field="name")
    return name


def _entry(path: Path) -> SavedComparison:
    try:
        saved_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        saved_at = datetime.fromtimestamp(0, UTC)
    try:
        comparison = _read(path)
    except StudioError as error:
        return SavedComparison(path.stem, saved_at, problem=str(error))
    return SavedComparison(comparison.name, saved_at, len(comparison.rows), len(comparison.columns))


def _read(path: Path) -> Comparison:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise workspace_error(error, "The comparison") from None
    return Comparison.from_json(data)
