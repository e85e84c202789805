"""When the process has no file left to open: said once a minute, in one line.

asyncio, told by the system that no connection can be accepted, goes on to try as many times as there may be connections
waiting (2,048 as uvicorn sets it, CPython 3.11, `selector_events._accept_connection`), and logs each with its trace;
a second later it does so again. It recovers by itself when files are closed; what it writes meanwhile fills the disk.
"""

from __future__ import annotations

import errno
import logging
import threading
import time

EVERY_S = 60.0
LINE = (
    "Too many files are open, so that no connection is accepted until some are closed; ulimit -n sets how many may be."
)
LOGGERS = ("asyncio", "uvicorn.error", "studio.ui.errors", "studio.engine")


class OncePerMinute(logging.Filter):
    """Lets through one line for all records about too many open files, and every other record as it is."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._quiet_until = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is None or not is_too_many_files(record.exc_info[1]):
            return True
        with self._lock:
            time_s = time.monotonic()
            if time_s < self._quiet_until:
                return False
            self._quiet_until = time_s + EVERY_S
        record.msg, record.args, record.exc_info, record.exc_text = LINE, (), None, None
        return True


def is_too_many_files(error: BaseException | None) -> bool:
    """Whether an exception, or what it came from, is the system's refusal to open one more file."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        visited.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def install() -> None:
    """Put one such filter before all of LOGGERS. May be called again."""
    once = OncePerMinute()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(present, OncePerMinute) for present in logger.filters):
            logger.addFilter(once)
