"""The engine of an open studio: started when it is first needed, and stopped with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from studio.engine.backend import Backend, EngineStatus
from studio.services.recording import Recorder

NOT_STARTED = EngineStatus("resting", "The engine starts with the first picture.", {}, None, 0, None)


class StudioEngine:
    """Every method may be called from any thread."""

    def __init__(self, start: Callable[[], Backend], recorder: Recorder) -> None:
        """start: gives a backend whose sink is the recorder, so that what happens is written down before it is told."""
        self._start = start
        self._recorder = recorder
        self._backend: Backend | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def start(self) -> Backend:
        """Give the backend, starting it where there is none. Raises RuntimeError once it is closed."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the studio is not open")
            if self._backend is None:
                self._backend = self._start()
            return self._backend

    def running(self) -> Backend | None:
        """Give the backend; None before it was started. Raises RuntimeError once it is closed."""
        if self._is_closed:
            raise RuntimeError("the studio is not open")
        return self._backend

    def status(self) -> EngineStatus:
        """Say how it is, and what keeps something from being written down."""
        backend = self._backend
        return NOT_STARTED if backend is None else replace(backend.status(), trouble=self._recorder.trouble())

    def close(self) -> None:
        """Stop the job in hand and the engine; how that job ended is still written down."""
        with self._lock:
            self._is_closed = True
            backend, self._backend = self._backend, None
        self._recorder.hurry()
        if backend is not None:
            backend.close()
        self._recorder.close()
