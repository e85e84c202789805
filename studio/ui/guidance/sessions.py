"""The boards of the pages that are open, one per browser session; what a page does to its board is done in order.

    with sessions.of(key, kept, turn) as session:
        session.put(boards.change(session.board, ...))

While a page is open its board is here, and the browser keeps a copy: for the next load, and for a server that has
forgotten the page. Were the browser's copy the truth, whoever changes two things within the time of one answer would
lose one of them: both handlers start from the same copy, and the later answer overwrites the earlier.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from studio.ui.guidance import board as boards
from studio.ui.guidance.board import Board

MAX_SESSIONS = 200  # as many as Gradio keeps (state_session_capacity)
MAX_KEY = 64
MAX_COUNT = 2**50  # of turns and revisions: what JavaScript still counts exactly
WAIT_S = 2.0  # for a turn that has not come; a request that was given up never will


class Session:
    """The board of one page. revision: rises with every change; the page goes by it when answers overtake each other.

    visited: whether its tab has been shown. Read and change it only inside `Sessions.of`.
    """

    def __init__(self) -> None:
        self.board: Board = boards.new()
        self.revision = 0
        self.visited = False
        self.users = 0  # guarded by Sessions
        self._filled = False
        self._turn: int | None = None  # the last one that began
        self._here: list[int] = []
        self._busy = False
        self._changed = threading.Condition()  # guards the three above

    @property
    def kept(self) -> dict[str, Any]:
        """What the browser is to keep."""
        return {**self.board, "revision": self.revision}

    @property
    def is_filled(self) -> bool:
        """Whether it knows what the browser kept, if only that this was nothing."""
        return self._filled

    def put(self, board: Board) -> None:
        """Another board from now on."""
        self.board = board
        self.revision += 1

    def raise_above(self, seen: Any) -> None:
        """Be newer than a revision the page says it has seen; what is no revision is passed over."""
        self.revision = max(self.revision, count(seen) or 0) + 1

    def fill(self, kept: Any) -> None:
        """Take what the browser kept, where it knows more than we do: at first, and after this server forgot the page.

        What it sends later is a copy of ours, or an older one.
        """
        if kept is None:
            return
        revision = (count(kept.get("revision")) or 0) if isinstance(kept, dict) else 0
        if not self._filled or revision > self.revision:
            self.board, self.revision = boards.read(kept), max(revision, self.revision)
            self._filled = True

    def begin(self) -> None:
        """The page was loaded: it has told all its browser kept, and its first turn is 1."""
        self._filled = True
        if self._turn is None:
            self._turn = 0

    @contextlib.contextmanager
    def entered(self, turn: int | None) -> Iterator[None]:
        """Alone inside, over the whole handler: answers are then made in the order of what they answer.

        turn: waits for those before it, for the page sends requests side by side and they may arrive in any order.
        None comes in whenever nobody is inside.
        """
        with self._changed:
            if turn is not None:
                self._here.append(turn)
            deadline = time.monotonic() + WAIT_S
            try:
                while self._busy or self._is_early(turn, deadline):
                    self._changed.wait(0.05)
            finally:
                if turn is not None:
                    self._here.remove(turn)
            self._busy = True
            if turn is not None:
                self._turn = max(turn, self._turn or 0)
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _is_early(self, turn: int | None, deadline: float) -> bool:
        if turn is None or self._turn is None or turn <= self._turn + 1:
            return False
        return any(one < turn for one in self._here) or time.monotonic() < deadline


class Sessions:
    """All of them. most: how many are remembered; of more, the longest unused is forgotten. Thread-safe."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    @contextlib.contextmanager
    def of(self, key: Any, kept: Any = None, turn: Any = None) -> Iterator[Session]:
        """The session of a page, alone inside. kept: what its browser kept. turn: of the page's events, from 1.

        Any of them may be rubbish: a key that is none has a session for this once.
        """
        session = self._take(key)
        try:
            with session.entered(count(turn)):
                session.fill(kept)
                yield session
        finally:
            with self._lock:
                session.users -= 1

    def _take(self, key: Any) -> Session:
        with self._lock:
            if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
                found = Session()
            else:
                found = self._sessions.setdefault(key, Session())
                self._sessions.move_to_end(key)
            found.users += 1
            # One in use stays, or its next event would begin a second one beside it.
            idle = [one for one, session in self._sessions.items() if not session.users]
            for one in idle[: max(0, len(self._sessions) - self._most)]:
                del self._sessions[one]
            return found


def count(value: Any) -> int | None:
    """Read a turn or a revision; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_COUNT:
        return None
    return value
