"""The engine in a process of its own: started, watched, and started again when it dies."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from studio.core.errors import EngineError, WorkerDied
from studio.engine import worker
from studio.engine.backend import SILENT, EngineStatus, State
from studio.engine.board import CLOSED, Board, Sink
from studio.engine.config import EngineConfig
from studio.engine.events import Event
from studio.engine.ticket import Entry, Ticket

MAX_DEATHS = 2  # of the worker by the same work, before that work is refused
MAX_FAILED_STARTS = 3  # in a row, before the queue is failed and the next job has to try again
_CLOSE_WITHIN_S = 5.0


class ProcessBackend:
    """Runs jobs in a spawned child. One thread here owns the child and its pipe; all else goes over the board.

    deaths: digest of work -> how often it has ended a worker before (from the ledger). Never imports torch.
    """

    def __init__(self, config: EngineConfig, sink: Sink | None = None, deaths: Mapping[str, int] | None = None) -> None:
        self._config = config
        self._board = Board(sink)
        self._deaths = dict(deaths or {})
        self._context = multiprocessing.get_context("spawn")
        # A byte through this pipe wakes the supervising thread: it can only wait for what has a file descriptor.
        self._woken, self._wake = self._context.Pipe(duplex=False)
        self._wake_lock = threading.Lock()
        self._closing = False
        self._state: State = "starting"
        self._message = "The engine is starting."
        self._made_by: dict[str, Any] = {}
        self._child: BaseProcess | None = None
        self._pipe: Connection | None = None
        # What the worker has: nothing, one job, or one in the background and an interactive one run in between.
        self._flying: list[Ticket] = []
        self._begun: set[str] = set()  # of these, the ids of those it has begun
        self._cancel_sent: set[str] = set()
        self._worker_asks = False  # an interactive job is over, and it waits for the word what comes next
        self._failed_starts = 0
        self._thread = threading.Thread(target=self._supervise, name="engine-supervisor", daemon=True)
        self._thread.start()

    # -- the contract -----------------------------------------------------------------------------------------------

    def submit(self, job: Mapping[str, Any]) -> str:
        job_id = self._board.submit(job)
        self._nudge()
        return job_id

    def queue(self) -> list[Entry]:
        return self._board.queue()

    def standing(self, job_id: str) -> Entry | None:
        return self._board.standing(job_id)

    def move(self, job_id: str, before: str | None = None) -> None:
        self._board.move(job_id, before)

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        return self._board.events(job_id, since, wait_s)

    def cancel(self, job_id: str, keep: bool = True) -> None:
        if self._board.cancel(job_id, keep):
            self._nudge()

    def status(self) -> EngineStatus:
        running, child = self._board.running(), self._child
        state: State = "busy" if running and self._state == "ready" else self._state
        pid = child.pid if child is not None else None
        return EngineStatus(state, self._message, self._made_by, pid, self._board.waiting(), running)

    def close(self) -> None:
        self._closing = True
        self._board.close()
        self._nudge()
        self._thread.join()

    def _nudge(self) -> None:
        with self._wake_lock:
            try:
                self._wake.send_bytes(b"!")
            except OSError:
                pass  # closed: nobody is left to wake

    # -- the supervising thread -------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        try:
            while not self._closing:
                if self._child is None and not self._start():
                    continue
                self._dispatch()
                self._pass_on_cancel()
                self._listen()
        finally:
            self._stop_child()
            self._state, self._message = "closed", "The engine is closed."
            with self._wake_lock:
                self._wake.close()
                self._woken.close()

    def _start(self) -> bool:
        """Spawn the child. After too many starts that came to nothing, fail the queue and wait for a new job."""
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._state = "broken"
            self._message = "The process that makes the pictures does not start; the log of the engine may say why."
            while (ticket := self._board.take(block=False)) is not None:
                self._board.fail(ticket.id, WorkerDied(self._message))
            self._wait_for([self._woken])
            self._failed_starts = 0 if self._board.waiting() else self._failed_starts
            return False
        if self._failed_starts:
            time.sleep(0.2 * 2**self._failed_starts)
        self._state = "starting"
        try:
            pipe, theirs = self._context.Pipe()
        except OSError as error:  # no file left to open
            return self._could_not_start(error)
        child = self._context.Process(target=worker.main, args=(self._config, theirs), name="palimpsest-engine")
        child.daemon = True  # ends with us on a normal exit; when we are killed it notices the broken pipe
        try:
            child.start()
        except OSError as error:  # likewise, or no process
            pipe.close()
            return self._could_not_start(error)
        finally:
            theirs.close()  # else the pipe would never be seen to break
        self._child, self._pipe = child, pipe
        return True

    def _could_not_start(self, error: OSError) -> bool:
        """A start like one that came to nothing: this thread must not end, for nobody else would run the queue."""
        self._failed_starts += 1
        self._message = f"The process that makes the pictures does not start: {error.strerror or error}."
        return False

    def _dispatch(self) -> None:
        if self._state != "ready" or len(self._flying) > 1:
            return
        if self._flying and self._flying[0].priority == "interactive":
            return
        ticket = self._board.take(block=False, only="interactive" if self._flying else None)
        if ticket is None:
            if self._worker_asks:
                self._worker_asks = False
                self._send("resume")
            return
        if self._deaths.get(ticket.digest, 0) >= MAX_DEATHS:
            message = f"This job has ended the engine's process {MAX_DEATHS} times and is not run again."
            self._board.fail(ticket.id, EngineError(message, "Change the recipe, for instance to a smaller size."))
            self._nudge()  # there may be another behind it
            return
        self._flying.append(ticket)
        self._worker_asks = False
        self._send("run", ticket.id, ticket.job)

    def _pass_on_cancel(self) -> None:
        for ticket in self._flying:
            if ticket.stop_asked() and ticket.id not in self._cancel_sent:
                self._cancel_sent.add(ticket.id)
                self._send("cancel", ticket.id)

    def _listen(self) -> None:
        """Wait for the child, its end, or a nudge; handle all that has come."""
        child, pipe = self._child, self._pipe
        if child is None or pipe is None:
            return
        ready = self._wait_for([pipe, child.sentinel, self._woken])
        try:
            while pipe in ready and pipe.poll():
                self._handle(pipe.recv())
        except (EOFError, OSError):
            self._on_death()
            return
        if child.sentinel in ready and not pipe.poll():
            self._on_death()

    def _wait_for(self, things: list[Any]) -> list[Any]:
        ready = wait(things)
        while self._woken in ready and self._woken.poll():
            self._woken.recv_bytes()
        return ready

    def _handle(self, message: worker.Message) -> None:
        match message:
            case ("ready", made_by, problem):
                self._failed_starts = 0
                self._state, self._made_by = "ready", made_by
                self._message = problem or "Ready."
            case ("begun", job_id):
                self._begun.add(job_id)
            case ("tell", job_id, kind, data):
                self._board.tell(job_id, kind, data)
            case ("raised", job_id, error):
                self._board.fail(job_id, error)
            case ("end", job_id, made_by):
                self._board.fail(job_id, EngineError(SILENT))  # heard only if it has not told its end
                self._flying = [ticket for ticket in self._flying if ticket.id != job_id]
                self._begun.discard(job_id)
                self._cancel_sent.discard(job_id)
                self._worker_asks = bool(self._flying) and self._flying[0].priority == "background"
                if made_by:
                    self._made_by, self._message = made_by, "Ready."

    def _on_death(self) -> None:
        """Say so to the job that ran, count it against that job's work, and let the next start begin."""
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, None
        if child is not None:
            child.join()
        if pipe is not None:
            pipe.close()
        how = _how_it_ended(child.exitcode if child is not None else None)
        if self._state == "starting":
            self._failed_starts += 1
        self._state, self._message = "starting", f"The process that makes the pictures {how}; it is starting again."
        flying, self._flying = self._flying, []
        for ticket in flying:
            self._tell_death(ticket, culprit=ticket is _running(flying, self._begun), how=how)
        self._begun.clear()
        self._cancel_sent.clear()
        self._worker_asks = False

    def _tell_death(self, ticket: Ticket, culprit: bool, how: str) -> None:
        """The job it was at is counted; one that was paused is told as well; one it had not begun waits again."""
        if culprit:
            self._deaths[ticket.digest] = self._deaths.get(ticket.digest, 0) + 1
            error: EngineError = WorkerDied(
                f"The process that makes the pictures {how} during this job and is started again.",
                "Run the job again; if it was memory that ran out, take a smaller size.",
            )
        elif ticket.id in self._begun:
            error = EngineError(
                f"The process that makes the pictures {how} during a job run in between.", "Run this one again."
            )
        else:
            self._board.put_back(ticket.id)
            return
        self._board.tell(ticket.id, "interrupted", {"error": str(error), "type": type(error).__name__})

    def _send(self, *message: Any) -> None:
        if self._pipe is not None:
            try:
                self._pipe.send(message)
            except OSError:
                pass  # it has just died: `_listen` finds out and tells the job

    def _stop_child(self) -> None:
        """Ask it to end, give it a moment (it stops within one step), then make it."""
        child, pipe = self._child, self._pipe
        if child is None or pipe is None:
            return
        self._send("close")
        deadline = time.monotonic() + _CLOSE_WITHIN_S
        try:
            while self._flying and (left := deadline - time.monotonic()) > 0:
                if pipe.poll(left):
                    self._handle(pipe.recv())
        except (EOFError, OSError):
            pass
        child.join(0.5)
        if child.is_alive():  # still importing or loading, or in a step that takes seconds
            child.kill()
            child.join()
        pipe.close()
        for ticket in self._flying:
            self._board.tell(ticket.id, "interrupted", {"error": CLOSED, "type": "EngineError"})


def _running(flying: list[Ticket], begun: set[str]) -> Ticket | None:
    """Of what the worker had, the job it was at: the last it began."""
    return next((ticket for ticket in reversed(flying) if ticket.id in begun), None)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"was ended by signal {-exitcode}"
    return f"ended with exit code {exitcode}"
