"""How long a network evaluation took in each job: what the engine told, kept for when the studio is opened again."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from studio.core.errors import StudioError
from studio.core.recipe import Recipe
from studio.services.comparisons.cells import Orders
from studio.services.jobs import JobService
from studio.storage.images import write_durably
from studio.storage.unreadable import BROKEN
from studio.storage.workspace import PRIVATE_FOLDER

MOST = 2000  # jobs that are remembered, the newest
FILE = Path("readings") / "seconds.json"


class Paces:
    """Seconds per network evaluation, by job. Every method may be called from any thread."""

    def __init__(self, workspace: Path, jobs: JobService) -> None:
        self._path = workspace / FILE
        self._jobs = jobs
        self._seconds: dict[str, float] | None = None
        self._unknown: set[str] = set()  # jobs of earlier runs of which nothing was kept
        self._lock = threading.Lock()

    def of(self, job_id: str, orders: Orders) -> float | None:
        """Of a job that is over; None of one that is not, or of which nobody knows any more."""
        with self._lock:
            if self._seconds is None:
                self._seconds = self._read()
            if job_id in self._seconds:
                return self._seconds[job_id]
            if job_id in self._unknown:
                return None
        try:
            job = self._jobs.get(job_id)
            if not job.over:
                return None
            seconds = float(self._jobs.events(job_id)[-1].data.get("seconds") or 0)
            work = sum(orders.nfe(Recipe.load(values)) for values in job.payload["recipes"]) if seconds else 0
        except (StudioError, *BROKEN):
            seconds, work = 0.0, 0
        with self._lock:
            if not seconds or not work:
                self._unknown.add(job_id)
                return None
            self._seconds[job_id] = seconds / work
            self._keep(self._seconds)
            return seconds / work

    def _read(self) -> dict[str, float]:
        with contextlib.suppress(OSError, *BROKEN):
            return {str(job): float(seconds) for job, seconds in json.loads(self._path.read_bytes()).items()}
        return {}

    def _keep(self, seconds: dict[str, float]) -> None:
        newest = dict(list(seconds.items())[-MOST:])
        with contextlib.suppress(OSError):  # a full disk costs the seconds of old pictures, which nobody waits for
            self._path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            write_durably(self._path, json.dumps(newest).encode())
