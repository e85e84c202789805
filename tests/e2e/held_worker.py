"""The engine's worker, which a test can hold between two evaluations of its network: what is shown in the middle of a
job is looked at for as long as it takes, and nothing has to be drawn to pass the time."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from studio.engine import worker
from studio.engine.config import EngineConfig

HOLD = "PALIMPSEST_TEST_HOLD"  # names the file that says where to wait: "image 1"
PERCENT = "percent"


def main(config: EngineConfig, pipe: Connection) -> None:
    """In the place of `worker.main`, in the worker's process."""
    worker._Worker = HeldWorker  # type: ignore[misc]
    worker.main(config, pipe)


class HeldWorker(worker._Worker):
    """Waits while the file says that a job has told enough; a stop, the end and other jobs are heard meanwhile."""

    def __init__(self, config: EngineConfig, pipe: Connection) -> None:
        self._hold = Path(os.environ[HOLD])
        self._in_hand: dict[str, Counter[str]] = {}  # what each job has told; the one that runs in between is the last
        super().__init__(config, pipe)

    def _send(self, *message: Any) -> None:
        super()._send(*message)
        if message[0] == "begun":
            self._in_hand[message[1]] = Counter(begun=1)
        elif message[0] == "end":
            self._in_hand.pop(message[1], None)
        elif message[0] == "tell":
            self._note(*message[1:])

    def _note(self, job_id: str, kind: str, data: Mapping[str, Any]) -> None:
        if (counts := self._in_hand.get(job_id)) is not None:
            counts[kind] += 1
            counts[PERCENT] = max(counts[PERCENT], int(100 * data.get("done", 0)))

    def _give_way(self) -> None:
        while self._is_held() and self._orders.empty():
            # A stop that came after its job's end is kept, and stops none of these.
            if self._closing.is_set() or self._cancelled & self._in_hand.keys():
                break
            self._pulse.beat()
            time.sleep(0.01)
        super()._give_way()

    def _is_held(self) -> bool:
        try:
            kind, count, between = self._hold.read_text(encoding="utf-8").split()
        except (FileNotFoundError, ValueError):  # ValueError: it is being written
            return False
        counts = list(self._in_hand.values())
        is_next = len(counts) == 1 or (between == "between" and bool(counts))
        return is_next and counts[-1][kind] >= int(count)


class Brake:
    """Holds the worker to whose process `file` is named."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def at(self, kind: str, count: int = 1, *, between: bool = False) -> None:
        """From now on, any job waits once it has told so many events of a kind, "preview" or "image", or has "begun".

        With "percent", once so much of it is done. What runs in between another job waits only where `between` says so.

        Not "progress": a job of a few steps may be over before it tells any.
        """
        self.file.write_text(f"{kind} {count} {'between' if between else 'alone'}", encoding="utf-8")

    def release(self) -> None:
        self.file.unlink(missing_ok=True)
