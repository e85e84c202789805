"""The line to the worker: a pipe that never makes its owner wait."""

from __future__ import annotations

import queue
import threading
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from studio.engine import worker

GONE = ("gone",)  # the worker's last message, said for it
_UNREAD = 64  # messages of the worker that may wait to be handled: pictures among them


class Line:
    """The pipe to one child, read and written on threads of its own: either may wait for ever for a child that hangs.

    inbox: where its messages go, and GONE after the last.
    """

    def __init__(self, pipe: Connection, child: BaseProcess, inbox: queue.SimpleQueue[worker.Message]) -> None:
        self._pipe = pipe
        self._child = child
        self._inbox = inbox
        self._outbox: queue.SimpleQueue[worker.Message | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_UNREAD)
        self._closed = False
        self._threads = [
            threading.Thread(target=run, name=f"engine-{run.__name__.strip('_')}", daemon=True)
            for run in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: worker.Message) -> None:
        """Say something to the child, at once as far as the caller is concerned."""
        self._outbox.put(message)

    def handled(self) -> None:
        """A message from the inbox has been dealt with: another may be read."""
        self._room.release()

    def close(self) -> None:
        """End both threads, which the end of the child has let go."""
        self._closed = True
        self._outbox.put(None)
        self._room.release()
        for thread in self._threads:
            thread.join()
        self._pipe.close()

    def _read(self) -> None:
        try:
            while not self._closed:
                # Of a child that has ended, what it has said is read; a process it has left behind may hold its end of
                # the pipe open.
                if self._pipe not in wait([self._pipe, self._child.sentinel]):
                    break
                message = self._pipe.recv()
                self._room.acquire()
                self._inbox.put(message)
        except (EOFError, OSError):
            pass
        self._inbox.put(GONE)

    def _write(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._pipe.send(message)
            except OSError:
                return  # it has just died: the reader finds out
