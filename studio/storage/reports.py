"""What was measured of an edit: reports/<edit>/<model>/<suite>.json, each written whole or not at all.

An edit goes by its hash, so that its reports outlive a rename, and are there again when it comes back from a file.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError, BadInput
from studio.storage.images import write_durably
from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

BASE = "base"  # in an edit's place: the model without any
MAX_BYTES = 16_000_000
_HASH = re.compile(r"[0-9a-f]{12,64}")
_SUITE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, order=True)
class ReportKey:
    """What was measured.

    edit: its sha256, or BASE.
    model: hash of the model.
    suite: what was asked, and how.
    Raises BadInput for what cannot be part of a file's name.
    """

    edit: str
    model: str
    suite: str

    def __post_init__(self) -> None:
        checks = (
            self.edit == BASE or _HASH.fullmatch(self.edit),
            _HASH.fullmatch(self.model),
            _SUITE.fullmatch(self.suite),
        )
        if not all(checks):
            wrong = next(part for part, fits in zip(("edit", "model", "suite"), checks, strict=True) if not fits)
            raise BadInput(f"A report cannot be kept under the {wrong} {getattr(self, wrong)[:60]!r}.", field=wrong)

    def __str__(self) -> str:
        return f"{self.edit}/{self.model}/{self.suite}"


class ReportStore:
    """The folder of reports. Thread-safe: a file under its final name is replaced, never changed."""

    def __init__(self, root: Path, check: Callable[[], None] = lambda: None) -> None:
        """check: called before each change, may raise WorkspaceError (the workspace was moved)."""
        self.root = root
        self._check = check

    def put(self, key: ReportKey, report: dict[str, Any]) -> Path:
        """Keep a report, in place of an earlier one; give its file. It is on disk when this returns.

        report: plain JSON, without NaN.
        Raises BadInput for other values or more than 16 MB, WorkspaceError.
        """
        try:
            data = json.dumps(report, sort_keys=True, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(f"The report is not plain JSON: {str(error).rstrip('.')}.") from None
        if len(data) > MAX_BYTES:
            raise BadInput(f"A report has at most {MAX_BYTES // 1_000_000} MB, not {len(data) / 1e6:.0f} MB.")
        path = self._path(key)
        self._check()
        try:
            path.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            write_durably(path, data)
        except OSError as error:
            raise workspace_error(error, "The report") from None
        return path

    def get(self, key: ReportKey) -> dict[str, Any] | None:
        """Give a report; None where there is none. Raises AssetError for a file that cannot be read."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("too large")
            report = json.loads(path.read_bytes())
            if not isinstance(report, dict):
                raise ValueError("not an object")
        except (OSError, ValueError, RecursionError):
            raise AssetError(f"The report {path.name} is damaged.", "Evaluate the edit once more.") from None
        return report

    def of_edit(self, edit: str) -> list[ReportKey]:
        """Give what there is of an edit, in the order of models and suites. Raises BadInput for what is no hash."""
        if edit != BASE and not _HASH.fullmatch(edit):
            raise BadInput(f"There are no reports of {edit[:60]!r}, which is no hash of an edit.", field="edit")
        keys: list[ReportKey] = []
        for path in sorted((self.root / edit).glob("*/*.json")):
            with contextlib.suppress(BadInput):  # a file of somebody else's
                keys.append(ReportKey(edit, path.parent.name, path.stem))
        return keys

    def _path(self, key: ReportKey) -> Path:
        return self.root / key.edit / key.model / f"{key.suite}.json"
