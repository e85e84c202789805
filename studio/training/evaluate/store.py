"""Where the facts of drawn pictures are kept, so that none is drawn twice.

On disk one file for each way of drawing, evaluations/<digest>.jsonl: a line for each picture, with its checksum in
front. Lines are added and never changed; one that was cut short or damaged costs itself alone.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from studio.storage.workspace import workspace_error
from studio.training.evaluate.cases import Case, CaseKey
from studio.training.evaluate.results import Facts


class Store(Protocol):
    """Facts by what tells a case apart (Case.key)."""

    def get(self, case: Case) -> Facts | None:
        """What is known of a case's picture; None before it is drawn."""
        ...

    def add(self, rows: Sequence[tuple[Case, Facts]]) -> None:
        """Keep the facts of some pictures."""
        ...


class MemoryStore:
    """Kept for as long as the object is."""

    def __init__(self) -> None:
        self._facts: dict[CaseKey, Facts] = {}

    def get(self, case: Case) -> Facts | None:
        """See Store."""
        return self._facts.get(case.key)

    def add(self, rows: Sequence[tuple[Case, Facts]]) -> None:
        """See Store."""
        self._facts.update((case.key, facts) for case, facts in rows)


class FileStore:
    """Kept in a file, for one writer at a time.

    trouble: a sentence while something could not be written, "" else; the next `add` tries again.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there; no file is one without lines."""
        self.path = path
        self.trouble = ""
        self._facts = read(path)
        self._unwritten: list[bytes] = []

    def get(self, case: Case) -> Facts | None:
        """See Store."""
        return self._facts.get(case.key)

    def add(self, rows: Sequence[tuple[Case, Facts]]) -> None:
        """See Store. A disk that takes nothing raises nothing: see `trouble`."""
        self._facts.update((case.key, facts) for case, facts in rows)
        self._unwritten += [_line(case, facts) for case, facts in rows]
        self._write()

    def close(self) -> None:
        """Write what is left. Raises WorkspaceError if that cannot be."""
        if error := self._write():
            raise workspace_error(error, "What the evaluation measured")

    def _write(self) -> OSError | None:
        if not self._unwritten:
            return None
        try:
            _append(self.path, b"".join(self._unwritten))
        except OSError as error:
            self.trouble = (
                f"{workspace_error(error, 'What the evaluation measured').message} It goes on and tries again."
            )
            return error
        self._unwritten, self.trouble = [], ""
        return None


def read(path: Path) -> dict[CaseKey, Facts]:
    """All lines of a file that can be read; {} where there is no file."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return {}
    facts: dict[CaseKey, Facts] = {}
    for line in lines:
        try:
            check, _, text = line.partition(b" ")
            if int(check, 16) != zlib.crc32(text):
                continue
            values: dict[str, Any] = json.loads(text)
            facts[str(values["prompt"]), str(values["negative"]), int(values["seed"])] = Facts.load(values)
        except (ValueError, KeyError, TypeError):
            continue
    return facts


def count(path: Path) -> int:
    """Lines of a file, without reading what they say."""
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _line(case: Case, facts: Facts) -> bytes:
    prompt, negative, seed = case.key
    text = json.dumps({"prompt": prompt, "negative": negative, "seed": seed, **facts.plain()}).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)  # in a folder that is there: a workspace may have been moved
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        if file.tell() and not _ends_a_line(path):  # a write was cut short: what follows must not be lost with it
            data = b"\n" + data
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
