"""A studio without a model: it has the methods of services.generate.Studio, and draws scenes of the world."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.backend import EngineStatus
from studio.engine.events import FLEETING, Event
from studio.guidance import build
from studio.models.tokens import TokenReport
from studio.services.generate import Generation
from studio.world.render import render
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES, one_object

LIMIT = 30


@dataclass
class FakeJob:
    id: str
    recipes: list[Recipe]
    events: list[Event] = field(default_factory=list)
    seq: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class FakeCard:
    default_size_px: int = 128


class FakeStudio:
    """step_s: seconds a step takes. fail_at: step of a job's first picture at which the job fails, None for never."""

    def __init__(self, folder: Path, step_s: float = 0.05, fail_at: int | None = None) -> None:
        self.settings = Settings(workspace=folder)
        self.folder, self.step_s, self.fail_at = folder, step_s, fail_at
        self.jobs: dict[str, FakeJob] = {}
        self.made: list[Generation] = []
        self.lock = threading.Lock()

    def warm(self) -> None:
        pass

    def submit(self, recipes: Sequence[Recipe]) -> str:
        if not recipes:
            raise BadInput("A job needs at least one recipe.")
        for recipe in recipes:
            build(recipe.guidance)
        job = FakeJob(f"job-{len(self.jobs) + 1}", list(recipes))
        self.jobs[job.id] = job
        self._tell(job, "queued", {"ahead": 0})
        threading.Thread(target=self._draw, args=(job,), daemon=True).start()
        return job.id

    def events(self, job_id: str, since: int = 0, wait_s: float = 0.0) -> list[Event]:
        if job_id not in self.jobs:
            raise NotFound(f"There is no job {job_id}.")
        with self.lock:
            return [event for event in self.jobs[job_id].events if event.seq > since]

    def stop(self, job_id: str, keep: bool = True) -> None:
        if job_id not in self.jobs:
            raise NotFound(f"There is no job {job_id}.")
        self.jobs[job_id].stop.set()

    def unfinished_jobs(self) -> list[FakeJob]:
        return [job for job in self.jobs.values() if not job.events[-1].final]

    def status(self) -> EngineStatus:
        running = next((job.id for job in self.unfinished_jobs()), None)
        made_by = {"model": "stencil", "device": "cpu", "dtype": "fp32", "threads": 2}
        return EngineStatus("busy" if running else "ready", "", made_by, None, 0, running)

    def gallery(self, limit: int = 24, offset: int = 0, search: str = "") -> list[Generation]:
        return self._found(search)[offset : offset + limit]

    def count(self, search: str = "") -> int:
        return len(self._found(search))

    def generation(self, id: int) -> Generation:
        if not 1 <= id <= len(self.made):
            raise NotFound(f"There is no picture number {id} in the history.")
        return self.made[id - 1]

    def prompt_report(self, text: str, model: str = "stencil") -> TokenReport:
        words = text.split()
        kept = min(len(words), LIMIT)
        return TokenReport(len(words), LIMIT, kept, " ".join(words[kept:]), tuple(w for w in words if w == "zebra"))

    def model_card(self, model: str = "stencil") -> FakeCard:
        return FakeCard()

    def _found(self, search: str) -> list[Generation]:
        return [g for g in reversed(self.made) if all(word in g.recipe.prompt for word in search.split())]

    def _draw(self, job: FakeJob) -> None:
        self._tell(job, "started", {"images": len(job.recipes)})
        total = len(job.recipes) * job.recipes[0].steps
        for index, recipe in enumerate(job.recipes):
            picture = _picture(recipe)
            for step in range(1, recipe.steps + 1):
                time.sleep(self.step_s)
                if step == self.fail_at:
                    self._tell(job, "failed", {"error": "A NaN appeared at a <b>step</b>.", "type": "NonFinite"})
                    return
                if job.stop.is_set():
                    self._tell(job, "cancelled", {"images": index})
                    return
                left = (total - index * recipe.steps - step) * self.step_s
                told = {"image": index, "images": len(job.recipes), "step": step, "steps": recipe.steps, "left_s": left}
                self._tell(job, "progress", told)
                blurred = picture.resize((32, 32)).filter(ImageFilter.GaussianBlur(5 * (1 - step / recipe.steps)))
                self._tell(job, "preview", {"image": index, "png": _png(blurred)})
            kept = self._keep(job, recipe, _png(picture))
            data = {"image": index, "generation": kept.id, "path": str(kept.image_path), "sha256": kept.sha256}
            self._tell(job, "image", {**data, "recipe": recipe.model_dump(mode="json"), "made_by": {}, "seconds": 1.0})
        self._tell(job, "done", {"images": len(job.recipes), "seconds": 1.0})

    def _keep(self, job: FakeJob, recipe: Recipe, png: bytes) -> Generation:
        digest = hashlib.sha256(png).hexdigest()
        path = self.folder / f"{digest}.png"
        path.write_bytes(png)
        kept = Generation(len(self.made) + 1, path, digest, recipe, datetime.now(UTC), {}, job.id)
        self.made.append(kept)
        return kept

    def _tell(self, job: FakeJob, kind: Any, data: dict[str, Any]) -> None:
        with self.lock:
            job.seq += 1
            if kind in FLEETING:
                job.events = [event for event in job.events if event.kind != kind]
            job.events.append(Event(job.seq, job.id, kind, data))


def _picture(recipe: Recipe) -> Image.Image:
    said = recipe.prompt.split()

    def named(known: Sequence[str], salt: int) -> str:
        return next((word for word in said if word in known), known[(recipe.seed + salt) % len(known)])

    scene = one_object(
        named(OBJECTS, 0), named(COLOUR_NAMES, 1), style=named(STYLE_NAMES, 2), background=named(BACKGROUND_NAMES, 3)
    )
    return render(scene, recipe.width)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
