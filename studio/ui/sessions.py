"""What the pages that are open hold, a value of its own for each; what a page does to its value is done in order.

    with sessions.of(key, kept, turn) as session:
        session.put(boards.change(session.value, ...))

The board of the Guidance tab is such a value, and so is the edit stack of the sidebar. While a page is open its value
is here, and the browser keeps a copy: for the next load, and for a server that has forgotten the page. Were the
browser's copy the truth, whoever changes two things within the time of one answer would lose one of them: both handlers
start from the same copy, and the later answer overwrites the earlier.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S", bound="Session[Any]")

MAX_SESSIONS = 200  # as many as Gradio keeps (state_session_capacity)
MAX_KEY = 64
MAX_COUNT = 2**50  # of turns and revisions: what JavaScript still counts exactly
WAIT_S = 2.0  # for a turn that has not come; a request that was given up never will


class Session(Generic[T]):
    """The value of one page. Read and change it only inside `Sessions.of`.

    value: what the page holds.
    revision: rises with every change; the page goes by it when answers overtake each other.
    users: how many events are inside or wait.
    """

    def __init__(self, new: T, read: Callable[[Any], T], plain: Callable[[T], dict[str, Any]]) -> None:
        """new: what a first visitor has. read: makes a value of what a browser kept, whatever that is. plain: makes of
        a value what a browser can keep.
        """
        self.value = new
        self.revision = 0
        self.users = 0  # guarded by Sessions
        self._read = read
        self._plain = plain
        self._filled = False
        self._turn: int | None = None  # the last one that began
        self._arrived: list[int] = []  # turns that wait for those before them
        self._busy = False
        self._changed = threading.Condition()  # guards the three above

    @property
    def browser_copy(self) -> dict[str, Any]:
        """What the browser is to keep."""
        return {**self._plain(self.value), "revision": self.revision}

    @property
    def is_filled(self) -> bool:
        """Whether it knows what the browser kept, if only that this was nothing."""
        return self._filled

    def put(self, value: T) -> None:
        """Another value from now on, or the same where the page is to be shown something newer."""
        self.value = value
        self.revision += 1

    def raise_above(self, page_revision: Any) -> None:
        """Be newer than a revision the page says it has seen; what is no revision is passed over."""
        self.revision = max(self.revision, count(page_revision) or 0) + 1

    def fill(self, copy: Any) -> None:
        """Take what the browser kept, where it knows more than we do: at first, and after this server forgot the page.

        What it sends later is a copy of ours, or an older one.
        """
        if copy is None:
            return
        revision = (count(copy.get("revision")) or 0) if isinstance(copy, dict) else 0
        if not self._filled or revision > self.revision:
            self.value, self.revision = self._read(copy), max(revision, self.revision)
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
                self._arrived.append(turn)
            deadline = time.monotonic() + WAIT_S
            try:
                while self._busy or self._is_early(turn, deadline):
                    self._changed.wait(0.05)
            finally:
                if turn is not None:
                    self._arrived.remove(turn)
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
        return any(earlier < turn for earlier in self._arrived) or time.monotonic() < deadline


class Sessions(Generic[S]):
    """All of one kind. make: a fresh one. most: how many are remembered; of more, the longest unused is forgotten.

    Thread-safe.
    """

    def __init__(self, make: Callable[[], S], most: int = MAX_SESSIONS) -> None:
        self._make = make
        self._most = most
        self._sessions: OrderedDict[str, S] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    @contextlib.contextmanager
    def of(self, key: Any, copy: Any = None, turn: Any = None) -> Iterator[S]:
        """The session of a page, alone inside. copy: what its browser kept. turn: of the page's events, from 1.

        Any of them may be rubbish: a key that is none has a session for this once.
        """
        session = self._take(key)
        try:
            with session.entered(count(turn)):
                session.fill(copy)
                yield session
        finally:
            with self._lock:
                session.users -= 1

    def _take(self, key: Any) -> S:
        with self._lock:
            if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
                session = self._make()
            else:
                session = self._sessions.setdefault(key, self._make())
                self._sessions.move_to_end(key)
            session.users += 1
            # One in use stays, or its next event would begin a second one beside it.
            idle = [page for page, candidate in self._sessions.items() if not candidate.users]
            for page in idle[: max(0, len(self._sessions) - self._most)]:
                del self._sessions[page]
            return session


def count(value: Any) -> int | None:
    """Read a turn or a revision; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_COUNT:
        return None
    return value
