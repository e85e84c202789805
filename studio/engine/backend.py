"""What the studio asks of an engine, whichever process it runs in; and the one that runs in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from studio.core.errors import EngineError
from studio.engine.board import Board, Sink
from studio.engine.config import EngineConfig
from studio.engine.events import Event
from studio.engine.kinds import run_in_turns
from studio.engine.ticket import Entry, Ticket

SILENT = "This job ended without saying how."
State = Literal["resting", "starting", "ready", "busy", "stalled", "broken", "closed"]


@dataclass(frozen=True)
class EngineStatus:
    """The engine at a glance.

    state: "resting" means that nobody has needed it yet; "broken", that it could not be brought up and tries again
        with the next job; "stalled", that it lives and gives no sign of progress.
    message: a sentence for the status bar.
    made_by: as `Engine.made_by` gives it once the model is up, else {}.
    pid: of the process that holds the models.
    waiting: jobs in the queue.
    running: the id of the job that runs.
    trouble: a sentence while what the engine tells cannot be written down, else "".
    """

    state: State
    message: str
    made_by: dict[str, Any]
    pid: int | None
    waiting: int
    running: str | None
    trouble: str = ""


class Backend(Protocol):
    """The contract; tests/engine/test_backends.py runs it over every implementation. All methods are thread-safe."""

    def submit(self, job: Mapping[str, Any]) -> str:
        """Queue a job and return its id at once.

        job: {"kind": "generate", "recipes": [dict, ...]} or what another kind takes, plain values only; "id" and
        "priority" of its own are used where given. Interactive jobs (without a word: generating) go before those that
        are ahead of somebody's asking, and these before those in the background, between two of their steps if need
        be.
        """
        ...

    def queue(self) -> list[Entry]:
        """Say what is in hand and what waits, in the order it will run."""
        ...

    def standing(self, job_id: str) -> Entry | None:
        """Say the same of one job; None for one that is unknown or over."""
        ...

    def move(self, job_id: str, successor_id: str | None = None) -> None:
        """Let a waiting job run right before another of its class, or last of its class.

        successor_id: of the job that runs next after it; None for last.
        Raises NotFound, and BadInput if either is not waiting or they are of different classes.
        """
        ...

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        """Give the events numbered above `since`, waiting up to `wait_s` for the first. Raises NotFound."""
        ...

    def cancel(self, job_id: str, keep: bool = True) -> None:
        """Ask a job to stop; returns at once, takes effect within a step. keep: whether finished images stay.

        Of a finished job: nothing. Asked twice: once is enough, and discarding wins. Raises NotFound.
        """
        ...

    def status(self) -> EngineStatus:
        """Say how it is."""
        ...

    def close(self) -> None:
        """Stop the job in hand, refuse further ones, and let go of everything. May be called twice."""
        ...


class InlineBackend:
    """Runs jobs on one thread of this process: for the command line and for tests.

    The engine is built, and so torch and diffusers imported, on that thread with the first job.
    """

    def __init__(self, config: EngineConfig, sink: Sink | None = None) -> None:
        self._config = config
        self._board = Board(sink)
        self._state: State = "ready"
        self._engine: Any = None
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    def submit(self, job: Mapping[str, Any]) -> str:
        return self._board.submit(job)

    def queue(self) -> list[Entry]:
        return self._board.queue()

    def standing(self, job_id: str) -> Entry | None:
        return self._board.standing(job_id)

    def move(self, job_id: str, successor_id: str | None = None) -> None:
        self._board.move(job_id, successor_id)

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        return self._board.events(job_id, since, wait_s)

    def cancel(self, job_id: str, keep: bool = True) -> None:
        self._board.cancel(job_id, keep)

    def status(self) -> EngineStatus:
        running, waiting = self._board.running(), self._board.waiting()
        state: State = "busy" if running and self._state == "ready" else self._state
        made_by = self._engine.made_by() if self._engine else {}
        return EngineStatus(state, "Ready.", made_by, os.getpid(), waiting, running)

    def close(self) -> None:
        self._board.close()
        self._thread.join()
        self._state = "closed"

    def _serve(self) -> None:
        while (ticket := self._board.take()) is not None:
            self._work(ticket)

    def _work(self, ticket: Ticket) -> None:
        try:
            if self._engine is None:
                # Here and not above: seconds of imports, paid for by the first job and never by the page process.
                from studio.engine.runner import Engine

                self._engine = Engine(self._config)
            steps = self._engine.steps(ticket.job, self._tell(ticket), ticket.stop_asked)
            run_in_turns(steps, ticket.stop_asked, partial(self._give_way, ticket))
            self._board.fail(ticket.id, EngineError(SILENT))  # heard only if it has not told its end
        except Exception as error:
            self._board.fail(ticket.id, error)

    def _give_way(self, paused: Ticket) -> None:
        """Run what is more urgent between two steps of a job."""
        while (ticket := self._board.take(block=False, between=paused)) is not None:
            self._work(ticket)

    def _tell(self, ticket: Ticket) -> Any:
        return lambda kind, data: self._board.tell(ticket.id, kind, data)
