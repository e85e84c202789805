"""What is logged while the process has no file left to open."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Iterator

import pytest

from studio.ui import open_files


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    records, loggers = Records(), [logging.getLogger(name) for name in open_files.LOGGERS]
    before = [(logger, list(logger.filters)) for logger in loggers]
    for logger in loggers:
        logger.addHandler(records)
    open_files.install()
    yield records.lines
    for logger, filters in before:
        logger.removeHandler(records)
        logger.filters[:] = filters


def test_a_socket_that_cannot_accept_is_told_in_one_line(lines: list[str]) -> None:
    """By asyncio's own code: it tries 2,048 times, and again a second later."""

    class Exhausted:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        def fileno(self) -> int:
            return 0

    loop = asyncio.SelectorEventLoop()
    try:
        loop._accept_connection(lambda: None, Exhausted(), backlog=2048)  # type: ignore[attr-defined]
    finally:
        loop.close()
    assert lines == [open_files.LINE]


def test_it_is_told_again_after_a_while_and_whatever_it_was_wrapped_in(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(3):
        for name in open_files.LOGGERS:
            try:
                try:
                    raise OSError(errno.ENFILE, "Too many open files in system")
                except OSError as error:
                    raise RuntimeError("a picture could not be served") from error
            except RuntimeError:
                logging.getLogger(name).exception("error")
        now += open_files.EVERY_S / 2
    assert lines == [open_files.LINE] * 2


def test_all_else_is_logged_as_it_was(lines: list[str]) -> None:
    log = logging.getLogger("asyncio")
    log.error("no trace")
    log.error("another", exc_info=OSError(errno.ENOSPC, "No space left on device"))
    assert lines[0] == "no trace" and lines[1].startswith("another\n") and "No space left" in lines[1]
