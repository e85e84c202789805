"""The worker: the child process that owns the device and the models.

It reads commands from its pipe on one thread and works on the other. When the pipe breaks, its parent is gone and it
goes too, whatever it is doing: an orphan would hold the memory of the models for ever.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import queue
import signal
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from studio.engine.config import EngineConfig
from studio.engine.kinds import run_in_turns
from studio.engine.pulse import Pulse
from studio.engine.threads import Crowd, wait_politely
from studio.engine.trouble import as_studio_error, is_device_failure

# Parent to child: ("run", id, job), ("resume",), ("cancel", id), ("close",).
# Child to parent: ("ready", made_by, problem or None), ("begun", id), ("tell", id, kind, data), ("raised", id, error),
# ("end", id, made_by), and every second, whatever it is doing, ("pulse", beats, longest_s).
# A second "run" comes only while a job in the background is at work: it is run between two steps of that one, and
# after its "end" the child waits for the parent's word, a further "run" or "resume", before it takes the next step.
Message = tuple[Any, ...]
DEVICE_FAILED = 71  # exit code
_RESUME: tuple[str, dict[str, Any]] = ("", {})


def main(config: EngineConfig, pipe: Connection) -> None:
    """Run until told to close or the parent is gone. The target of the spawned process."""
    # Ctrl+C in a terminal goes to every process of the group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # its log, also where it is begun anew, is its user's alone like all of a workspace
    wait_politely()
    _log_to(config)
    _Worker(config, pipe).serve()


class _Worker:
    def __init__(self, config: EngineConfig, pipe: Connection) -> None:
        self._config = config
        self._pipe = pipe
        # (id, job), _RESUME, or None to end
        self._orders: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue()
        self._cancelled: set[str] = set()
        self._closing = threading.Event()
        self._engine: Any = None
        self._sending = threading.Lock()  # between the working thread and the pulse
        self._crowd = Crowd()
        self._pulse = Pulse(self._tell_pulse)

    def serve(self) -> None:
        self._pulse.start()
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        self._send("ready", *self._bring_up())
        while (order := self._orders.get()) is not None:
            if order is not _RESUME:  # there is nothing to go on with
                self._work(*order)

    def _work(self, job_id: str, job: dict[str, Any]) -> None:
        self._pulse.begin()
        self._send("begun", job_id)

        def should_stop() -> bool:
            self._pulse.beat()  # work that asks is getting somewhere
            return self._closing.is_set() or job_id in self._cancelled

        try:
            steps = self._engine_up().steps(job, partial(self._send, "tell", job_id), should_stop)
            run_in_turns(steps, should_stop, self._give_way)
        except Exception as error:
            # Logged here, where the trace is; what crosses the pipe is a sentence.
            self._send("raised", job_id, as_studio_error(error))
            if is_device_failure(error):
                os._exit(DEVICE_FAILED)  # no later job could use it in this process; the parent starts another
        self._cancelled.discard(job_id)
        self._send("end", job_id, self._engine.made_by() if self._engine else {})

    def _give_way(self) -> None:
        """Run what came in the meantime, until the parent has no more of it."""
        try:
            order = self._orders.get_nowait()
        except queue.Empty:
            return
        while order is not None and order is not _RESUME:
            self._work(*order)
            order = self._orders.get()
        if order is None:
            self._orders.put(None)  # for `serve`; the job in hand finds out that it should stop

    def _bring_up(self) -> tuple[dict[str, Any], str | None]:
        """Load the model ahead of the first job. A problem is told, and met again by the job that needs the model."""
        try:
            engine = self._engine_up()
            if self._config.preload is not None:
                engine.bundle(self._config.preload).preview_map  # noqa: B018  # fitted here, not in the first job
            return engine.made_by(), None
        except Exception as error:
            return {}, str(as_studio_error(error))

    def _engine_up(self) -> Any:
        if self._engine is None:
            from studio.engine.runner import Engine  # torch and diffusers: only once the pipe is being read

            self._engine = Engine(self._config, self._crowd)
        return self._engine

    def _tell_pulse(self, beats: int, longest_s: float) -> None:
        self._crowd.look()
        self._send("pulse", beats, longest_s)

    def _listen(self) -> None:
        while True:
            try:
                command, *rest = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(0)  # nothing here needs cleaning up, and the working thread may be minutes from its next step
            if command == "run":
                self._orders.put((rest[0], rest[1]))
            elif command == "resume":
                self._orders.put(_RESUME)
            elif command == "cancel":
                self._cancelled.add(rest[0])
            elif command == "close":
                self._closing.set()
                self._orders.put(None)

    def _send(self, *message: Any) -> None:
        try:
            with self._sending:
                self._pipe.send(message)
        except (BrokenPipeError, ConnectionError):
            os._exit(0)


def _log_to(config: EngineConfig) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if config.log is not None:
        try:
            handler = logging.handlers.RotatingFileHandler(config.log, maxBytes=1_000_000, backupCount=2)
            # A crash in native code raises nothing; its stack goes to the same file. A handle of its own, never closed:
            # the handler's is closed when the file is rotated.
            faulthandler.enable(config.log.open("a", encoding="utf-8"))
        except OSError:
            pass  # a log that cannot be written must not keep the engine from running
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s")
