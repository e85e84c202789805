"""What the engine tells, written down: the sink between a backend and a workspace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from studio.core.errors import StudioError, WorkspaceError
from studio.core.recipe import Recipe
from studio.engine.events import Event
from studio.storage.archive import Archive
from studio.storage.database import DatabaseLocked
from studio.storage.jobs import JobRecord
from studio.storage.png import encode_png
from studio.storage.workspace import workspace_error
from studio.training.lora.files import lay_by

RETRY_S = 1.0  # between two tries to write what could not be written
# For how long a picture waits for another program to let go of the database before its job fails.
LOCKED_PATIENCE_S = 600.0
_LOCKED_PAUSE_S = 0.05  # beside SQLite's own waiting

T = TypeVar("T")


class Recorder:
    """Writes events down and gives the data to tell in their place. Called on one thread at a time, by a board.

    What is read from it may be asked on any thread.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = (
            threading.Lock()
        )  # of what follows, and held while an end is written, so that none is written twice
        self._unwritten: dict[str, tuple[Event, datetime]] = {}  # job -> its end, which the disk has not taken yet
        self._retrying: threading.Thread | None = None
        self._closing = threading.Event()
        self._trained: dict[str, Path] = {}  # job -> folder of the training whose edit was taken over
        self._trouble = ""  # a sentence while a write waits

    def __call__(self, event: Event) -> dict[str, Any]:
        """Write one event down. An image is stored and told by its path.

        While another program holds the database it waits. Raises WorkspaceError if an event cannot be written, and then
        nobody is told of the image. The end of a job is told all the same, read from here (`as_told`), and written as
        soon as something can be written again.
        """
        if event.final:
            self._end(event)
        elif event.kind == "started":
            self._patiently(lambda: self._archive.jobs.start(event.job_id))
        elif event.kind == "image" and "rgb" in event.data:
            return self._store(event)
        elif event.kind == "edit" and "path" in event.data:
            return self._take_over(event.job_id, event.data)
        return event.data

    def give_up(self, job_id: str, error: StudioError) -> None:
        """Write down that a job failed which no engine has taken. Raises nothing: at worst it is written later."""
        try:
            self._end(Event(0, job_id, "failed", {"error": str(error), "type": type(error).__name__}))
        except Exception:
            pass  # noted, and tried again

    def as_told(self, read: Callable[[], list[JobRecord]]) -> list[JobRecord]:
        """Rows of the ledger, with the ends that are not in it yet.

        read: gives the rows.
        """
        ends = dict(self._unwritten)  # before they are read: an end written in between is then in both, and not in none
        jobs = read()
        return [_ended(job, *ends[job.id]) if job.id in ends and not job.over else job for job in jobs]

    def trouble(self) -> str:
        """A sentence about what keeps something from being written right now; "" if nothing does."""
        return self._trouble

    def catch_up(self) -> None:
        """Write what could not be written before. Raises what the last that still cannot be raises."""
        problem: Exception | None = None
        with self._lock:
            for job_id, (event, _) in list(self._unwritten.items()):
                try:
                    self._finish(event)
                except Exception as error:
                    problem = error
                    if isinstance(error, WorkspaceError):  # it meets them all, and the others need not wait for it too
                        break
                else:
                    del self._unwritten[job_id]
            self._trouble = "" if problem is None else _sentence(problem)
        if problem is not None:
            raise problem

    def hurry(self) -> None:
        """Wait for nothing any more: the studio is being closed."""
        self._closing.set()

    def close(self) -> None:
        """Try once more. What still cannot be written is told as interrupted when the workspace is next opened."""
        self.hurry()
        retrying = self._retrying
        if retrying is not None:
            retrying.join()
        try:
            self.catch_up()
        except Exception:
            pass

    def _end(self, event: Event) -> None:
        self._unwritten[event.job_id] = (event, datetime.now(UTC))
        try:
            self.catch_up()
        except Exception:
            self._retry_later()
            raise

    def _retry_later(self) -> None:
        with self._lock:
            if self._retrying is None and not self._closing.is_set():
                self._retrying = threading.Thread(target=self._retry, name="recorder", daemon=True)
                self._retrying.start()

    def _retry(self) -> None:
        """Until everything is written. Says nothing: whoever reads the job is told why it waits."""
        while not self._closing.wait(RETRY_S):
            try:
                self.catch_up()
            except Exception:
                continue
            with self._lock:
                if not self._unwritten:
                    self._retrying = None
                    return

    def _patiently(self, write: Callable[[], T]) -> T:
        """Write, and wait while another program holds the database; any other error is raised at once."""
        deadline = time.monotonic() + LOCKED_PATIENCE_S
        while True:
            try:
                value = write()
            except DatabaseLocked as error:
                if time.monotonic() >= deadline or self._closing.wait(_LOCKED_PAUSE_S):
                    self._trouble = ""
                    raise
                self._trouble = f"{error.message} The pictures wait until it is free."
            else:
                self._trouble = "" if not self._unwritten else self._trouble
                return value

    def _finish(self, event: Event) -> None:
        if event.kind == "cancelled" and not event.data["keep"]:
            self._archive.generations.discard_job(event.job_id)
        died = event.data.get("type") == "WorkerDied"
        self._archive.jobs.finish(
            event.job_id,
            event.kind,  # type: ignore[arg-type]  # a final kind is a status
            event.data.get("error"),
            worker_died=died,
            last_seq=event.seq or None,
        )
        folder = self._trained.pop(event.job_id, None)
        if folder is not None and event.kind == "done":  # and written down as such: else it may have to go on
            lay_by(folder)
            self._archive.generations.release(f"training:{folder.name}")

    def _store(self, event: Event) -> dict[str, Any]:
        data = event.data
        recipe = Recipe.load(data["recipe"])
        image = Image.frombytes("RGB", (data["width"], data["height"]), data["rgb"])
        png = encode_png(image, recipe, data["made_by"])
        record = self._patiently(
            lambda: self._archive.keep_picture(
                png,
                job=event.job_id,
                recipe=recipe,
                made_by=data["made_by"],
                place=data["image"],
                seq=event.seq,
                account=data.get("account"),
                latents=data.get("latents"),
                origin=data.get("origin", "prompt"),
            )
        )
        facts = {key: value for key, value in data.items() if key not in ("rgb", "account", "latents")}
        path = str(self._archive.images.path(record.image))
        return {**facts, "path": path, "sha256": record.image, "generation": record.id}

    def _take_over(self, job_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a trained edit among those of the workspace. Raises WorkspaceError: the training still has it then."""
        path = Path(data["path"])
        try:
            content = path.read_bytes()
        except OSError as error:
            raise workspace_error(error, "The edit that was trained") from None
        stored = self._archive.edits.put(data["name"], data["sha256"], content)
        self._trained[job_id] = path.parent
        return {**{key: value for key, value in data.items() if key != "path"}, "edit": stored.id}


def _sentence(problem: Exception) -> str:
    """What is told while it lasts. A bug's own is told, with its id, where it is raised."""
    return str(problem) if isinstance(problem, StudioError) else "How a job ended could not be written down yet."


def _ended(job: JobRecord, event: Event, at: datetime) -> JobRecord:
    """A row as it will be when its end is written."""
    error: Mapping[str, Any] = event.data
    return replace(
        job,
        status=event.kind,  # type: ignore[arg-type]  # a final kind is a status
        error=error.get("error"),
        worker_died=error.get("type") == "WorkerDied",
        finished_at=at,
        last_seq=event.seq or None,
    )
