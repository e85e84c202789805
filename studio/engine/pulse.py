"""The worker's pulse: told by a thread of its own, so that silence means that the whole process stands still."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BEAT_EVERY_S = 1.0


class Pulse:
    """Counts what the working thread gets done, and tells of it every second, busy or not.

    tell: called with (beats, longest_s): how often the work has come to a place where it could stop, and the longest
    it took between two of them in the job at hand, in seconds.
    """

    def __init__(self, tell: Callable[[int, float], None]) -> None:
        self._tell = tell
        self._beats = 0
        self._longest_s = 0.0
        self._last_s = time.monotonic()

    def start(self) -> None:
        """Begin to tell."""
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def begin(self) -> None:
        """A job begins; what it is made of may take longer or shorter than what was before."""
        self._longest_s = 0.0
        self.beat()
        self._longest_s = 0.0

    def beat(self) -> None:
        """The work has got somewhere. Called on the working thread, thousands of times a second if need be."""
        now_s = time.monotonic()
        self._longest_s = max(self._longest_s, now_s - self._last_s)
        self._last_s = now_s
        self._beats += 1

    def _run(self) -> None:
        while True:
            time.sleep(BEAT_EVERY_S)
            self._tell(self._beats, self._longest_s)
