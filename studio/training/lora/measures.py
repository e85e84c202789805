"""Numbers of a training by step: told while it runs, and kept beside its checkpoint for the curves of later."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.lora.files import MEASURES

EVERY_S = 0.25
MAX_POINTS = 4096  # kept; beyond, every second one goes


class Measures:
    """Takes in every step, and tells means: ("measure", {"step", "values"}) at most four times a second."""

    def __init__(self, folder: Path, tell: Callable[[Any, dict[str, Any]], None], step: int) -> None:
        """step: what is known of later ones, from a run that was killed, is forgotten. Raises nothing: curves that
        cannot be read begin anew.
        """
        self._path, self._tell = folder / MEASURES, tell
        self._points = [point for point in read(folder) if point["step"] <= step]
        self._sums: dict[str, float] = {}
        self._count, self._told_at = 0, 0.0

    def add(self, step: int, values: Mapping[str, float], *, last: bool = False) -> None:
        """Take in one step's numbers."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        now_s = time.monotonic()
        if now_s - self._told_at < EVERY_S and not last:
            return
        point = {"step": step, "values": {name: total / self._count for name, total in self._sums.items()}}
        self._sums, self._count, self._told_at = {}, 0, now_s
        self._keep(point)

    def look(self, step: int, values: Mapping[str, float]) -> None:
        """Take in what was measured beside the steps, which is told as it is. Looked at again, it is told again."""
        point = {"step": step, "values": dict(values)}
        self._points = [earlier for earlier in self._points if earlier != point]
        self._keep(point)

    def _keep(self, point: dict[str, Any]) -> None:
        self._points.append(point)
        if len(self._points) > MAX_POINTS:
            self._points = self._points[::2]
        self._tell("measure", point)

    def write(self) -> None:
        """Raises WorkspaceError."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_durably(self._path, json.dumps(self._points).encode())
        except OSError as error:
            raise workspace_error(error, "The curves of the training") from None


def read(folder: Path) -> list[dict[str, Any]]:
    """The points of a training, by step; [] where there are none that can be read."""
    try:
        points = json.loads((folder / MEASURES).read_bytes())
        return [point for point in points if isinstance(point["step"], int) and isinstance(point["values"], dict)]
    except (OSError, ValueError, TypeError, KeyError):
        return []
