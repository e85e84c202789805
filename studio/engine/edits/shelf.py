"""Edits in the engine's memory: read from their files when a job names them, kept while there is room."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from studio.core.errors import NotFound
from studio.core.recipe import LIVE, EditRef
from studio.engine.edits.files import read_edit
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EditStack
from studio.engine.edits.timed import Stack, TimedStack

MAX_BYTES = 512 * 1024**2
_HASH = re.compile(r"-[0-9a-f]{12}\.safetensors$")
_Stamp = tuple[str, int, int]  # path, size, time of the last change: another file under a name is another edit


class EditShelf:
    """Turns what recipes say into stacks. Used on the engine's thread only."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Stamp, Edit] = OrderedDict()
        self._live: dict[str, Callable[[], Edit]] = {}

    def stack(self, refs: Iterable[EditRef], paths: Mapping[str, str], steps: int) -> Stack:
        """Build the stack of a recipe. paths: `EditRef.edit` -> file, as `EditLibrary.paths` gives. steps: of it.

        Raises NotFound for an edit without file, AssetError for a broken one, BadInput as `EditStack.of` does.
        """
        edits = [(self._edit(ref.edit, paths), ref) for ref in refs]
        whole = EditStack.of((edit, ref.strength) for edit, ref in edits)
        acting = [(edit, ref) for edit, ref in edits if ref.strength]
        windows, auto = tuple(ref.steps(steps) for _, ref in acting), {edit.sha256 for edit, ref in acting if ref.auto}
        if not auto and all(window == range(steps) for window in windows):
            return whole
        return TimedStack(whole, windows, frozenset(auto))

    def hold(self, ref: str, edit: Callable[[], Edit]) -> None:
        """Show an edit that has no file under a name: one that is being trained, in the state it has when asked for."""
        self._live[ref] = edit

    def release(self, ref: str) -> None:
        """Take it back; nothing happens if it is not there."""
        self._live.pop(ref, None)

    def _edit(self, ref: str, paths: Mapping[str, str]) -> Edit:
        if ref in self._live:
            return self._live[ref]()
        if ref.startswith(LIVE):
            raise NotFound(
                "The training whose unfinished edit this picture asks for is not under way.",
                "Take the edit it ended with; a picture of a step in between cannot be made again.",
                field="edits",
            )
        if ref not in paths:
            raise NotFound(f"There is no edit named {ref[:60]!r}.", field="edits")
        path = _present(Path(paths[ref]))
        try:
            stat = path.stat()
        except OSError:
            raise NotFound(f"The edit {ref[:60]!r} has no file any more.", field="edits") from None
        stamp = (str(path), stat.st_size, stat.st_mtime_ns)
        if stamp not in self._kept:
            self._kept[stamp] = read_edit(path)
            while len(self._kept) > 1 and sum(edit.nbytes() for edit in self._kept.values()) > self._max_bytes:
                self._kept.popitem(last=False)
        self._kept.move_to_end(stamp)
        return self._kept[stamp]


def _present(path: Path) -> Path:
    """Where an edit's file is: one that was renamed since its job was queued kept the hash at the end of its name
    (storage/edits.py).
    """
    ending = None if path.exists() else _HASH.search(path.name)
    return path if ending is None else next(path.parent.glob(f"*{ending[0]}"), path)
