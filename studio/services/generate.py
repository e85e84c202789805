"""Making pictures: the studio object that the page and the command line hold."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from studio.core.errors import BadInput, EngineError, NotFound, StudioError
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.backend import Backend, EngineStatus, InlineBackend
from studio.engine.events import Event
from studio.engine.process import ProcessBackend
from studio.models.card import ModelCard
from studio.models.tokens import TokenReport
from studio.services.checks import check_recipes
from studio.services.recording import record
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.generations import GenerationRecord
from studio.storage.jobs import JobRecord
from studio.storage.png import read_png


@dataclass(frozen=True)
class Generation:
    """A picture of the history. image_path: its PNG, which holds the recipe too. sha256: of that file."""

    id: int
    image_path: Path
    sha256: str
    recipe: Recipe
    created_at: datetime
    made_by: dict[str, Any]
    job_id: str | None


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
        self._lock = threading.Lock()

    def open(self) -> Studio:
        """Take the workspace. Raises WorkspaceError if it is locked, read-only, corrupt or newer than this program."""
        if self._archive is None:
            self._archive = Archive.open(self.settings.workspace)
            # What a killed app left as running is not running any more.
            self._archive.jobs.interrupt_unfinished("The studio was closed while this job was running.")
        return self

    def close(self) -> None:
        """Stop the engine and let go of the workspace. May be called twice."""
        with self._lock:
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()  # while the archive is open: how the job in hand ended is still written down
        with self._lock:
            archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()

    def __enter__(self) -> Studio:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Start the engine and let it load its model in the background."""
        self._engine()

    # -- jobs -------------------------------------------------------------------------------------------------------

    def submit(self, recipes: Sequence[Recipe]) -> str:
        """Queue a job that makes one picture per recipe, in order; give its id at once. It is in the ledger first.

        Raises BadInput or NotFound for what no engine could do: a size the model cannot have, an unknown guidance
        method or a parameter out of its range, no recipe at all.
        """
        check_recipes(recipes, self.sources)
        payload = {"kind": "generate", "recipes": [recipe.model_dump(mode="json") for recipe in recipes]}
        archive, engine = self._store(), self._engine()
        job = archive.jobs.add("generate", payload)
        try:
            engine.submit({**payload, "id": job.id, "digest": job.digest})
        except StudioError as error:
            archive.jobs.finish(job.id, "failed", str(error))
            raise
        return job.id

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
        return [event for event in self._remembered(job_id) if event.seq > since]

    def stop(self, job_id: str, keep: bool = True) -> None:
        """Ask a job to stop; effective within one step. keep=False also discards the pictures it has finished.

        Does nothing to a job that is over. Raises NotFound.
        """
        try:
            self._engine().cancel(job_id, keep)
        except NotFound:
            self.job(job_id)  # over, since it is of an earlier run; unknown ids still raise

    def job(self, job_id: str) -> JobRecord:
        """Give the ledger's row of a job. Raises NotFound."""
        return self._store().jobs.get(job_id)

    def unfinished_jobs(self) -> list[JobRecord]:
        """Jobs queued or running, oldest first: what a reloaded page attaches to again."""
        return self._store().jobs.unfinished()

    def generate_now(self, recipes: Sequence[Recipe], on_event: Any = None) -> list[Generation]:
        """Make pictures and wait for them. on_event: called with each Event as it comes.

        Raises what `submit` does, and EngineError if the job does not finish.
        """
        job_id = self.submit(recipes)
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
        return backend.status()

    # -- history ----------------------------------------------------------------------------------------------------

    def gallery(self, limit: int = 24, offset: int = 0, search: str = "") -> list[Generation]:
        """Give pictures, newest first. search: words that the prompt or negative prompt must all contain."""
        if not 1 <= limit <= 1000 or offset < 0:
            raise BadInput(f"A page of the gallery has 1 to 1000 pictures from 0 on, not {limit} from {offset}.")
        return [self._shown(record) for record in self._store().generations.page(limit, offset, search)]

    def count(self, search: str = "") -> int:
        """How many pictures `gallery` can give in all."""
        return self._store().generations.count(search)

    def generation(self, id: int) -> Generation:
        """Give one picture of the history. Raises NotFound."""
        return self._shown(self._store().generations.get(id))

    # -- about ------------------------------------------------------------------------------------------------------

    def prompt_report(self, text: str, model: str = "stencil") -> TokenReport:
        """Count a prompt's tokens and say what is cut and which words are unknown; needs no engine."""
        return self.sources.tokenizer(model).report(text)

    def model_card(self, model: str = "stencil") -> ModelCard:
        """Give a model's sizes and limits; needs no engine. Raises NotFound, AssetError."""
        return self.sources.card(model)

    def recipe_of(self, image: Path) -> Recipe:
        """Read the recipe out of a PNG. Raises BadInput if there is none."""
        return read_png(image).recipe

    # -- inside -----------------------------------------------------------------------------------------------------

    def _store(self) -> Archive:
        if self._archive is None:
            raise RuntimeError("the studio is not open")
        return self._archive

    def _engine(self) -> Backend:
        archive = self._store()
        with self._lock:
            if self._backend is None:
                log = archive.logs / "engine.log"
                config = self.sources.engine_config(log=log, previews=self._kind == "process")
                if self._kind == "process":
                    self._backend = ProcessBackend(config, self._record, archive.jobs.worker_deaths())
                else:
                    self._backend = InlineBackend(config, self._record)
            return self._backend

    def _record(self, job_id: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        """The engine's sink: what happens is written down before anyone is told of it."""
        return record(self._store(), job_id, kind, data)

    def _remembered(self, job_id: str) -> list[Event]:
        """Tell a job of an earlier run as events: its pictures, and how it ended."""
        job = self.job(job_id)
        events = [Event(1, job_id, "queued", {"ahead": 0})]
        for index, row in enumerate(self._store().generations.of_job(job_id)):
            shown = self._shown(row)
            data = {"image": index, "generation": shown.id, "path": str(shown.image_path), "sha256": shown.sha256,
                    "recipe": shown.recipe.model_dump(mode="json"), "made_by": shown.made_by}  # fmt: skip
            events.append(Event(len(events) + 1, job_id, "image", data))
        if job.status in ("done", "failed", "cancelled", "interrupted"):
            data = {"error": job.error} if job.error else {"images": len(events) - 1}
            events.append(Event(len(events) + 1, job_id, job.status, data))
        return events

    def _shown(self, record: GenerationRecord) -> Generation:
        path = self._store().images.path(record.image)
        return Generation(record.id, path, record.image, record.recipe, record.created_at, record.made_by, record.job)
