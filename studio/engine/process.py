"""The engine in a process of its own: started, watched, and started again when it dies."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from studio.core.errors import Cancelled, EngineError, WorkerDied
from studio.engine import worker
from studio.engine.backend import SILENT, EngineStatus, State
from studio.engine.board import CLOSED, Board, Sink
from studio.engine.config import EngineConfig
from studio.engine.events import Event
from studio.engine.line import GONE, Line
from studio.engine.ticket import Entry, Ticket
from studio.engine.watch import LOOK_EVERY_S, Watch

MAX_DEATHS = 2  # of the worker by the same work, before that work is refused
MAX_FAILED_STARTS = 3  # in a row, before the queue is failed and the next job has to try again
_CLOSE_WITHIN_S = 5.0
_NUDGE = ("nudge",)  # look again; of the studio's own making, unlike what the worker says


class ProcessBackend:
    """Runs jobs in a spawned child. One thread here owns the child; all else goes over the board.

    That thread never touches the pipe, which a child that hangs may have stopped in the middle of a message: a reader
    and a writer per child do. Never imports torch.
    deaths: digest of work -> how often it has ended a worker before (from the ledger).
    """

    def __init__(self, config: EngineConfig, sink: Sink | None = None, deaths: Mapping[str, int] | None = None) -> None:
        self._config = config
        self._board = Board(sink)
        self._deaths = dict(deaths or {})
        self._context = multiprocessing.get_context("spawn")
        self._inbox: queue.SimpleQueue[worker.Message] = queue.SimpleQueue()
        self._closing = False
        self._state: State = "starting"
        self._message = "The engine is starting."
        self._made_by: dict[str, Any] = {}
        self._child: BaseProcess | None = None
        self._line: Line | None = None
        self._watch = Watch(config.patience_s)
        self._looked_s = time.monotonic()
        # What the worker has: nothing, one job, or one in the background and an interactive one run in between.
        self._flying: list[Ticket] = []
        self._begun: set[str] = set()  # of these, the ids of those it has begun
        self._cancel_sent: set[str] = set()
        self._worker_asks = False  # an interactive job is over, and it waits for the word what comes next
        self._failed_starts = 0
        self._ended: str | None = None  # how we ended the child, while it is not gone yet
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

    def move(self, job_id: str, successor_id: str | None = None) -> None:
        self._board.move(job_id, successor_id)

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        return self._board.events(job_id, since, wait_s)

    def cancel(self, job_id: str, keep: bool = True) -> None:
        if self._board.cancel(job_id, keep):
            self._nudge()

    def status(self) -> EngineStatus:
        running, child = self._board.running(), self._child
        state: State = "busy" if running and self._state == "ready" else self._state
        message = self._message
        if state in ("ready", "busy") and (remark := self._watch.remark()):
            state, message = "stalled", remark
        pid = child.pid if child is not None else None
        return EngineStatus(state, message, self._made_by, pid, self._board.waiting(), running)

    def close(self) -> None:
        self._closing = True
        self._board.close()
        self._nudge()
        self._thread.join()

    def _nudge(self) -> None:
        self._inbox.put(_NUDGE)

    # -- the supervising thread -------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        try:
            while not self._closing:
                if self._child is None and not self._start():
                    continue
                self._dispatch()
                self._pass_on_cancel()
                self._listen()
                self._look()
        finally:
            self._stop_child()
            self._state, self._message = "closed", "The engine is closed."

    def _start(self) -> bool:
        """Spawn the child. After too many starts that came to nothing, fail the queue and wait for a new job."""
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._state = "broken"
            self._message = "The process that makes the pictures does not start; the log of the engine may say why."
            while (ticket := self._board.take(block=False)) is not None:
                self._board.fail(ticket.id, WorkerDied(self._message))
            self._inbox.get()  # a nudge: there is no child that could say anything
            self._failed_starts = 0 if self._board.waiting() else self._failed_starts
            return False
        if self._failed_starts:
            time.sleep(0.2 * 2**self._failed_starts)
        self._state = "starting"
        try:
            ours, theirs = self._context.Pipe()
        except OSError as error:  # no file left to open
            return self._could_not_start(error)
        child = self._context.Process(target=worker.main, args=(self._config, theirs), name="palimpsest-engine")
        child.daemon = True  # ends with us on a normal exit; when we are killed it notices the broken pipe
        try:
            child.start()
        except OSError as error:  # likewise, or no process
            ours.close()
            return self._could_not_start(error)
        finally:
            theirs.close()  # else the pipe would never be seen to break
        self._child = child
        self._line = Line(ours, child, self._inbox)
        self._watch = Watch(self._config.patience_s)
        return True

    def _could_not_start(self, error: OSError) -> bool:
        """A start like one that came to nothing: this thread must not end, for nobody else would run the queue."""
        self._failed_starts += 1
        self._message = f"The process that makes the pictures does not start: {error.strerror or error}."
        return False

    def _dispatch(self) -> None:
        running = self._flying[-1] if self._flying else None
        if self._state != "ready" or (len(self._flying) > 1 and running is not None and running.id not in self._begun):
            return  # one at a time is sent to be run in between
        ticket = self._board.take(block=False, between=running)
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
        """Wait for a message or a nudge, though no longer than until the next look."""
        try:
            message = self._inbox.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            return
        if message == GONE:
            self._on_death()
        elif message != _NUDGE and self._line is not None:
            self._handle(message)
            self._line.handled()

    def _look(self) -> None:
        """End a child that hangs, or that will not stop. Its last words are handled before its death is."""
        now_s = time.monotonic()
        seconds, self._looked_s = now_s - self._looked_s, now_s
        child, at = self._child, self._flying[-1] if self._flying else None
        if child is None:
            return
        starting = self._state == "starting"
        # One that waits for a step of the job it interrupts is not deaf: that job shall not be lost for it.
        its_turn = at is not None and (at.id in self._begun or len(self._flying) == 1)
        stopping = at is not None and its_turn and at.stop_asked()
        self._watch.pass_time(seconds, busy=starting or at is not None, stopping=stopping)
        if not self._inbox.empty():
            return  # we are behind, and what it has said is not known yet
        if stopping and self._watch.is_deaf():
            self._end(child, "did not stop when asked to and was ended")
        elif why := self._watch.given_up(starting=starting):
            self._end(child, f"{why} and was ended")

    def _end(self, child: BaseProcess, how: str) -> None:
        """Kill it; what is to be said of it is said when it is gone."""
        self._ended = how
        child.kill()

    def _handle(self, message: worker.Message) -> None:
        self._watch.heard()
        if message[0] != "pulse":
            self._watch.progress()
        match message:
            case ("pulse", beats, longest_s):
                self._watch.pulse(beats, longest_s)
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
                # It waits for a word only where what ended ran in between; else it takes what it was sent by itself.
                was_between = bool(self._flying) and self._flying[-1].id == job_id
                self._flying = [ticket for ticket in self._flying if ticket.id != job_id]
                self._begun.discard(job_id)
                self._cancel_sent.discard(job_id)
                self._worker_asks = was_between and bool(self._flying)
                if made_by:
                    self._made_by, self._message = made_by, "Ready."

    def _on_death(self) -> None:
        """Say so to the job that ran, count it against that job's work, and let the next start begin."""
        child, self._child = self._child, None
        line, self._line = self._line, None
        if child is not None:
            child.join()
        if line is not None:
            line.close()
        how = self._ended or _how_it_ended(child.exitcode if child is not None else None)
        self._ended = None
        if self._state == "starting":
            self._failed_starts += 1
        self._state, self._message = "starting", f"The process that makes the pictures {how}; it is starting again."
        # One that is done is not what it was at, though the word that it is through was lost. One that failed is: after
        # some errors, those of a device among them, the worker ends itself.
        flying, self._flying = [ticket for ticket in self._flying if not ticket.is_done], []
        running = _running(flying, self._begun)
        for ticket in flying:
            self._tell_death(ticket, culprit=ticket is running, how=how)
        self._begun.clear()
        self._cancel_sent.clear()
        self._worker_asks = False

    def _tell_death(self, ticket: Ticket, culprit: bool, how: str) -> None:
        """The job it was at is counted; one that was paused is told as well; one it had not begun waits again.

        One that was asked to stop has stopped: that is what was asked for, and no death to count.
        """
        if culprit and ticket.stop_asked():
            self._board.fail(ticket.id, Cancelled("The job was stopped."))
            return
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
        if self._line is not None:
            self._line.send(message)

    def _stop_child(self) -> None:
        """Ask it to end, give it a moment (it stops within one step), then make it."""
        child, line = self._child, self._line
        if child is None or line is None:
            return
        self._send("close")
        deadline = time.monotonic() + _CLOSE_WITHIN_S
        while self._flying and (left := deadline - time.monotonic()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if message == GONE:
                break
            if message != _NUDGE:
                self._handle(message)
                line.handled()
        child.join(0.5)
        if child.is_alive():  # still importing or loading, or in a step that takes seconds
            child.kill()
            child.join()
        line.close()
        for ticket in self._flying:
            self._board.tell(ticket.id, "interrupted", {"error": CLOSED, "type": "EngineError"})


def _running(flying: list[Ticket], begun: set[str]) -> Ticket | None:
    """Of what the worker had, the job it was at: the last it began."""
    return next((ticket for ticket in reversed(flying) if ticket.id in begun), None)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"was ended by signal {-exitcode}"
    return f"ended with exit code {exitcode}"
