"""Making pictures: the studio object that the page and the command line hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from studio.core.errors import BadInput, EngineError, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.backend import Backend, EngineStatus, InlineBackend
from studio.engine.board import NOT_WAITING, REMEMBERED_JOBS
from studio.engine.events import Event
from studio.engine.process import ProcessBackend
from studio.engine.ticket import Priority, default_priority
from studio.engine.trouble import as_studio_error
from studio.models.card import ModelCard
from studio.models.tokens import TokenReport
from studio.prompts import Dialect
from studio.services import grid, queue, trainings
from studio.services.checks import check_recipes, settled
from studio.services.edits import EditLibrary
from studio.services.history import Generation, History, Purged
from studio.services.queue import QueueEntry
from studio.services.recording import Recorder
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.generations import EVERYTHING
from studio.storage.jobs import JobRecord
from studio.storage.png import read_png
from studio.storage.search import HistoryFilter
from studio.storage.unreadable import Unreadable

MAX_JOBS_LISTED = 200


class Studio:
    """One workspace and one engine; a context manager, or `open` and `close`.

    Every method may be called from any thread. backend: "process" keeps the models in a child process, started with
    the first call of `warm` or `submit`; "inline" in this one.
    """

    def __init__(self, settings: Settings, backend: Literal["process", "inline"] = "process") -> None:
        self.settings = settings
        self.sources = Sources(settings)
        self._kind = backend
        self._backend: Backend | None = None
        self._archive: Archive | None = None
        self._recorder: Recorder | None = None
        self._enqueued: dict[str, JobRecord] = {}  # all that wait or run, and some that are over
        self._enqueued_limit = 2 * REMEMBERED_JOBS
        self._lock = threading.Lock()

    def open(self) -> Studio:
        """Take the workspace. Raises WorkspaceError if it is locked, read-only, corrupt or newer than this program."""
        if self._archive is None:
            archive = Archive.open(self.settings.workspace)
            try:
                # What a killed app left as running is not running any more. What waited does not go on by itself
                # either: it may be what killed it, and nobody expects an idle studio to start computing. It is offered
                # again.
                archive.jobs.interrupt_unfinished(queue.CLOSED_RUNNING, queue.CLOSED_QUEUED)
            except BaseException:
                archive.close()
                raise
            self._archive = archive
        return self

    def close(self) -> None:
        """Stop the engine and let go of the workspace. May be called twice."""
        with self._lock:
            backend, self._backend = self._backend, None
            recorder = self._recorder
        if recorder is not None:
            recorder.hurry()
        if backend is not None:
            backend.close()  # while the archive is open: how the job in hand ended is still written down
        with self._lock:
            archive, self._archive = self._archive, None
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        if archive is not None:
            archive.close()

    def __enter__(self) -> Studio:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def archive(self) -> Archive:
        """What the workspace keeps: for the services beside this one. Raises RuntimeError while it is not open."""
        if self._archive is None:
            raise RuntimeError("the studio is not open")
        return self._archive

    @property
    def edits(self) -> EditLibrary:
        """The workspace's edits. Raises RuntimeError while it is not open."""
        return EditLibrary(self.archive.edits, self.sources)

    def warm(self) -> None:
        """Start the engine and let it load its model in the background."""
        self._engine()

    # -- jobs -------------------------------------------------------------------------------------------------------

    def submit(
        self,
        recipes: Sequence[Recipe],
        priority: Priority = "interactive",
        *,
        account: bool = False,
        what: str = "",
        threads: int | None = None,
    ) -> str:
        """Queue a job that makes one picture per recipe, in order; give its id at once. It is in the ledger first.

        priority: "background" gives way to interactive jobs after every evaluation of the network. account: keep with
        each picture how its guidance went (services/account.py). what: how the queue calls it, in place of its prompt.
        threads: of the arithmetic, where neither settings nor environment say how many; for a picture made again as it
        was.
        Raises BadInput or NotFound for what no engine could do: a field out of its range, a size the model cannot
        have, an unknown guidance method or a parameter out of its range, no recipe at all.
        """
        # Loaded once more: a recipe changed with model_copy has not been checked by anybody.
        loaded = [Recipe.load(recipe.model_dump(mode="json", warnings=False)) for recipe in recipes]
        files = check_recipes(loaded, self.sources, self.edits)
        plain = [settled(recipe).model_dump(mode="json") for recipe in loaded]
        payload: dict[str, Any] = {"kind": "generate", "recipes": plain}
        if account:
            payload["account"] = True
        if what:
            payload["what"] = what
        if threads:
            payload["threads"] = threads
        return self.enqueue(payload, priority, edits=files)

    def enqueue(
        self,
        payload: Mapping[str, Any],
        priority: Priority | None = None,
        *,
        retry_of: str | None = None,
        edits: Mapping[str, str] | None = None,
        places: Mapping[str, Any] | None = None,
        written: Callable[[str], None] = lambda job_id: None,
    ) -> str:
        """Queue a job of any kind, unchecked: for the services behind each kind. Gives its id.

        payload: {"kind": ..., ...}, plain values; a "what" in it names the work in the queue. edits: name of each edit
        the job uses -> its file, and places: what else it is told, such as where something is; neither is part of
        what the ledger keeps, for a workspace may be moved. written: called with the
        job's id when it is in the ledger, before the engine has it.
        """
        kind = str(payload["kind"])
        priority = priority or default_priority(kind)
        archive, engine = self.archive, self._engine()
        job = archive.jobs.add(kind, payload, priority=priority, retry_of=retry_of)
        self._remember(job, engine)
        try:
            written(job.id)
            engine.submit(
                {
                    **payload,
                    **(places or {}),
                    "edits": dict(edits or {}),
                    "id": job.id,
                    "digest": job.digest,
                    "priority": priority,
                }
            )
        except Exception as error:
            # Else it would wait in the ledger for ever: no engine has it.
            if self._recorder is not None:
                self._recorder.give_up(job.id, as_studio_error(error))
            raise
        return job.id

    def retry(self, job_id: str) -> str:
        """Queue the work of a finished job once more, as a new job that names the old one; give its id.

        Of a grid's job: what is missing of the grid. Raises NotFound, and BadInput for a job that is not over or that
        no engine could do any more.
        """
        archive, job = self.archive, self.job(job_id)
        queue.check_retry(job)
        if (number := archive.grids.of_job(job_id)) is not None:
            return grid.resume(self, number, retry_of=job_id)
        if job.kind == trainings.KIND:
            return trainings.enqueue(self, job.payload, retry_of=job_id)
        files: dict[str, str] = {}
        if job.kind == "generate":
            recipes = [Recipe.load(values) for values in job.payload["recipes"]]
            files = check_recipes(recipes, self.sources, self.edits)
        return self.enqueue(job.payload, job.priority, retry_of=job_id, edits=files)  # type: ignore[arg-type]

    def queue(self) -> list[QueueEntry]:
        """What is in hand and what waits, in the order it will run."""
        backend = self._backend
        standing = backend.queue() if backend is not None else []
        return [queue.entry(one, self._enqueued.get(one.id) or self.job(one.id)) for one in standing]

    def standing(self, job_id: str) -> QueueEntry | None:
        """One job as `queue` tells it; None for one that neither runs nor waits."""
        backend = self._backend
        standing = backend.standing(job_id) if backend is not None else None
        return None if standing is None else queue.entry(standing, self._enqueued.get(job_id) or self.job(job_id))

    def move(self, job_id: str, before: str | None = None) -> None:
        """Let a waiting job run right before another of its class, or last of its class.

        Raises NotFound for an unknown id, BadInput if one of them is not waiting or they are of different classes.
        """
        try:
            if self._backend is not None:
                return self._backend.move(job_id, before)
        except NotFound:
            pass
        for one in (job_id, before):
            if one is not None:
                self.job(one)  # unknown ids still raise
        raise BadInput(NOT_WAITING)

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        """Give a job's events numbered above `since`, waiting up to `wait_s` for one. The last is `final`.

        Of a job from before the studio was last opened, what the ledger and the history tell. Raises NotFound.
        """
        backend = self._backend
        if backend is not None:
            try:
                return backend.events(job_id, since, wait_s)
            except NotFound:
                pass  # from an earlier run of the studio, or long ago
        return [event for event in self._history().events(self.job(job_id)) if event.seq > since]

    def stop(self, job_id: str, keep: bool = True) -> None:
        """Ask a job to stop; effective within one step. keep=False also moves its finished pictures into the bin.

        Does nothing to a job that is over. Raises NotFound.
        """
        try:
            if self._backend is not None:
                return self._backend.cancel(job_id, keep)
        except NotFound:
            pass
        self.job(job_id)  # over, since it is of an earlier run; unknown ids still raise

    def job(self, job_id: str) -> JobRecord:
        """Give the ledger's row of a job; its end also where the disk has not taken it yet.

        Raises NotFound, WorkspaceError if it cannot be read.
        """
        return self._as_told(lambda: [self.archive.jobs.get(job_id)])[0]

    def find_job(self, name: str) -> JobRecord:
        """Give a job by its number or its id, as a user writes it. Raises as `job`."""
        return self._as_told(lambda: [self.archive.jobs.find(name)])[0]

    def unfinished_jobs(self) -> list[JobRecord]:
        """Jobs queued or running, oldest first: what a reloaded page attaches to again."""
        return [job for job in self._as_told(self.archive.jobs.unfinished) if not job.over]

    def oldest_unfinished(self, kind: str, priority: Priority) -> JobRecord | None:
        """The first job of one kind and class that is queued or running."""
        oldest = self._as_told(lambda: [job] if (job := self.archive.jobs.oldest_unfinished(kind, priority)) else [])
        if oldest and oldest[0].over:  # its end is not in the ledger yet: one of those behind it is the first
            same = (job for job in self.unfinished_jobs() if (job.kind, job.priority) == (kind, priority))
            return next(same, None)
        return oldest[0] if oldest else None

    def jobs(self, limit: int = 50, before: int | None = None) -> list[JobRecord]:
        """The ledger, newest first. before: only jobs with a lower number. Raises BadInput for a limit out of range."""
        return self.jobs_page(limit, before)[0]

    def jobs_page(self, limit: int = 50, before: int | None = None) -> tuple[list[JobRecord], list[Unreadable]]:
        """The same, and the rows of that page that cannot be read, which count among its `limit`."""
        if not 1 <= limit <= MAX_JOBS_LISTED:
            raise BadInput(f"A page of the ledger has 1 to {MAX_JOBS_LISTED} jobs, not {limit}.", field="limit")
        unreadable: list[Unreadable] = []

        def read() -> list[JobRecord]:
            page, others = self.archive.jobs.readable_page(limit, before)
            unreadable.extend(others)
            return page

        return self._as_told(read), unreadable

    def interrupted_jobs(self, limit: int = 50) -> list[JobRecord]:
        """Jobs that a closed or killed studio left, newest first: what `retry` is offered for."""
        return queue.offered(self.archive.jobs, limit)

    def generate_now(
        self, recipes: Sequence[Recipe], on_event: Callable[[Event], object] | None = None
    ) -> list[Generation]:
        """Make pictures and wait for them. on_event: called with each Event as it comes.

        Raises what `submit` does, and EngineError if the job does not finish.
        """
        return self.finish(self.submit(recipes), on_event)

    def finish(self, job_id: str, on_event: Callable[[Event], object] | None = None) -> list[Generation]:
        """Wait for a job and give its pictures, in the order they were made. Raises EngineError if it does not finish.

        on_event: called with each Event as it comes.
        """
        made: list[Generation] = []
        since = 0
        while True:
            for event in self.events(job_id, since, wait_s=1.0):
                since = event.seq
                if on_event is not None:
                    on_event(event)
                if event.kind == "image":
                    made.append(self.generation(event.data["generation"]))
                if event.kind == "done":
                    return made
                if event.final:
                    raise EngineError(event.data.get("error", "The job was stopped."))

    def status(self) -> EngineStatus:
        """Say how the engine is."""
        backend = self._backend
        if backend is None:
            return EngineStatus("starting", "The engine starts with the first picture.", {}, None, 0, None)
        return replace(backend.status(), trouble=self.trouble())

    def trouble(self) -> str:
        """A sentence about what keeps pictures or jobs from being written down right now; "" if nothing does."""
        return self._recorder.trouble() if self._recorder is not None else ""

    # -- history ----------------------------------------------------------------------------------------------------

    def gallery(
        self,
        limit: int = 24,
        offset: int = 0,
        search: str = "",
        *,
        only: HistoryFilter = EVERYTHING,
        before: int | None = None,
    ) -> list[Generation]:
        """Give pictures, newest first. search: words that one of the two prompts must contain, in any case.

        only: further conditions. before: number of a picture; only older ones, at the same cost however far back.
        Raises BadInput for numbers out of range.
        """
        return self.gallery_page(limit, offset, search, only=only, before=before)[0]

    def gallery_page(
        self,
        limit: int = 24,
        offset: int = 0,
        search: str = "",
        *,
        only: HistoryFilter = EVERYTHING,
        before: int | None = None,
    ) -> tuple[list[Generation], list[Unreadable]]:
        """The same, and the rows among and right behind them that cannot be read: those do not count in `limit`."""
        return self._history().page(limit, offset, search, only, before)

    def count(self, search: str = "", only: HistoryFilter = EVERYTHING) -> int:
        """How many pictures `gallery` can give in all."""
        return self._history().count(search, only)

    def generation(self, id: int) -> Generation:
        """Give one picture of the history, deleted or not. Raises NotFound."""
        return self._history().get(id)

    def favourite(self, id: int, on: bool = True) -> None:
        """Mark a picture, or take the mark away. Raises NotFound."""
        self._history().favourite(id, on)

    def delete(self, ids: Collection[int]) -> int:
        """Move pictures into the bin, all or none; give how many were not there yet. Raises NotFound, BadInput."""
        return self._history().set_deleted(ids, True)

    def undelete(self, ids: Collection[int]) -> int:
        """Take pictures out of the bin again, all or none; give how many. Raises NotFound, BadInput."""
        return self._history().set_deleted(ids, False)

    def purge(self) -> Purged:
        """Empty the bin for good, and remove image files that no picture of the history shows."""
        return self._history().purge()

    # -- about ------------------------------------------------------------------------------------------------------

    def prompt_report(self, text: str, model: str = "stencil", dialect: Dialect = "a1111") -> TokenReport:
        """Count a prompt's tokens and say what is cut and which words are unknown; needs no engine.

        Raises BadInput for a prompt that cannot be read in this dialect.
        """
        return self.sources.tokenizer(model).report(text, dialect)

    def model_card(self, model: str = "stencil") -> ModelCard:
        """Give a model's sizes and limits; needs no engine. Raises NotFound, AssetError."""
        return self.sources.card(model)

    def recipe_of(self, image: Path) -> Recipe:
        """Read the recipe out of a PNG. Raises BadInput if there is none."""
        return read_png(image).recipe

    # -- inside -----------------------------------------------------------------------------------------------------

    def _history(self) -> History:
        return History(self.archive)

    def _as_told(self, read: Callable[[], list[JobRecord]]) -> list[JobRecord]:
        return self._recorder.as_told(read) if self._recorder is not None else read()

    def _remember(self, job: JobRecord, engine: Backend) -> None:
        """Keep what the queue tells of a job at hand for as long as it is in the queue."""
        with self._lock:
            self._enqueued[job.id] = job
            if len(self._enqueued) <= self._enqueued_limit:
                return
            needed = {one.id for one in engine.queue()} | {job.id}
            self._enqueued = {id: one for id, one in self._enqueued.items() if id in needed}
            self._enqueued_limit = 2 * (len(self._enqueued) + REMEMBERED_JOBS)  # so that this is seldom done

    def _engine(self) -> Backend:
        archive = self.archive
        with self._lock:
            if self._backend is None:
                # The engine's sink: what happens is written down before anyone is told of it.
                self._recorder = Recorder(archive)
                log = archive.logs / "engine.log"
                config = self.sources.engine_config(log=log, previews=self._kind == "process")
                if self._kind == "process":
                    self._backend = ProcessBackend(config, self._recorder, archive.jobs.worker_deaths())
                else:
                    self._backend = InlineBackend(config, self._recorder)
            return self._backend
