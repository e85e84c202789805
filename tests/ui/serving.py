"""Starts a page in a process of its own, for tests that talk to it as a browser or a stranger would."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Served:
    """url: of the page. folder: the workspace. seconds: from start of the process to its line with the address."""

    url: str
    folder: Path
    seconds: float
    process: subprocess.Popen[str]


@contextlib.contextmanager
def serving(
    arguments: list[str], folder: Path, environ: Mapping[str, str] | None = None, timeout_s: float = 300
) -> Iterator[Served]:
    """Run `python ARGUMENTS`, wait for the one line with the address, and end it at the end as Ctrl+C would."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **(environ or {})}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    told = chain(process.stdout, [""])  # "": it has ended
    reader = threading.Thread(target=lambda: [lines.put(line) for line in told], daemon=True)
    reader.start()
    try:
        line = lines.get(timeout=timeout_s)
        seconds = time.monotonic() - began
        assert line.startswith("Palimpsest is open at http://127.0.0.1:"), line
        yield Served(line.rsplit(" ", 1)[1].strip(), folder, seconds, process)
        assert process.poll() is None, "the page died during the test"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        process.stdout.close()
