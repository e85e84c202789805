"""The engine of an open studio: started when it is first needed, and stopped with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from studio.engine.backend import Backend, EngineStatus
from studio.services.recording import Recorder

NOT_STARTED = EngineStatus("resting", "The engine starts with the first picture.", {}, None, 0, None)
STARTING = replace(NOT_STARTED, state="starting", message="The engine is starting.")


class StudioEngine:
    """Every method may be called from any thread."""

    def __init__(self, start: Callable[[], Backend], recorder: Recorder) -> None:
        """start: gives a backend whose sink is the recorder, so that what happens is written down before it is told."""
        self._start = start
        self._recorder = recorder
        self._backend: Backend | None = None
        self._is_closed = self._is_warming = False
        self._lock = threading.Lock()

    def start(self) -> Backend:
        """Give the backend, starting it where there is none. Raises RuntimeError once it is closed."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the studio is not open")
            if self._backend is None:
                self._backend = self._start()
            return self._backend

    def warm(self) -> None:
        """Start it from a thread of its own. Said to be starting from now on: a page that looks before it is, and hears
        that it rests, has no reason to look again. What keeps it from starting is told by the first job.
        """
        if self._backend is not None:
            return
        self._is_warming = True
        threading.Thread(target=self._warm, name="engine-start", daemon=True).start()

    def _warm(self) -> None:
        try:
            self.start()
        except Exception:
            if not self._is_closed:
                logging.getLogger(__name__).exception("the engine could not be started ahead of the first job")
        finally:
            self._is_warming = False

    def running(self) -> Backend | None:
        """Give the backend; None before it was started. Raises RuntimeError once it is closed."""
        if self._is_closed:
            raise RuntimeError("the studio is not open")
        return self._backend

    def status(self) -> EngineStatus:
        """Say how it is, and what keeps something from being written down."""
        is_warming, backend = self._is_warming, self._backend  # in this order: it is there before the first is over
        if backend is None:
            return STARTING if is_warming else NOT_STARTED
        return replace(backend.status(), trouble=self._recorder.trouble())

    def close(self) -> None:
        """Stop the job in hand and the engine; how that job ended is still written down."""
        with self._lock:
            self._is_closed = True
            backend, self._backend = self._backend, None
        self._recorder.hurry()
        if backend is not None:
            backend.close()
        self._recorder.close()
