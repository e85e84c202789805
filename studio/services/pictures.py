"""Making pictures: jobs of the kind "generate", one picture per recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.core.recipe import Recipe
from studio.engine.events import Event
from studio.engine.ticket import Priority
from studio.services.checks import check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.history import Generation, History
from studio.services.jobs import JobService, OnEvent
from studio.services.sources import Sources
from studio.storage.jobs import JobRecord
from studio.storage.search import check_origin

KIND = "generate"
PROMPT = "prompt"  # the origin of what is drawn where nobody says otherwise


def is_for_prompt(job: JobRecord) -> bool:
    """Whether a job draws for somebody who waits in front of a prompt: what is drawn for other ends has a place of its
    own. Raises WorkspaceError if the ledger cannot say.
    """
    return (job.kind, job.priority) == (KIND, "interactive") and job.payload.get("origin", PROMPT) == PROMPT


class PictureService:
    """What is drawn in an open studio. Every method may be called from any thread."""

    def __init__(self, jobs: JobService, history: History, sources: Sources, edits: EditLibrary) -> None:
        self._jobs = jobs
        self._history = history
        self._sources = sources
        self._edits = edits

    def submit(
        self,
        recipes: Sequence[Recipe],
        priority: Priority = "interactive",
        *,
        account: bool = False,
        description: str = "",
        threads: int | None = None,
        origin: str = PROMPT,
    ) -> str:
        """Queue a job that makes one picture per recipe, in order; give its id at once. It is in the ledger first.

        priority: "background" gives way to interactive jobs after every evaluation of the network.
        account: keep with each picture how its guidance went (services/account.py).
        description: how the queue calls it, in place of its prompt.
        threads: of the arithmetic, where neither settings nor environment say how many: to draw a picture as it was.
        origin: what they are drawn for (studio.storage.search.ORIGINS).
        Raises BadInput or NotFound for what no engine could do: a field out of its range, a size the model cannot
        have, an unknown guidance method or a parameter out of its range, no recipe at all.
        """
        # Loaded once more: a recipe changed with model_copy has not been checked by anybody.
        loaded = [Recipe.load(recipe.model_dump(mode="json", warnings=False)) for recipe in recipes]
        files = check_recipes(loaded, self._sources, self._edits)
        plain = [settled(recipe).model_dump(mode="json") for recipe in loaded]
        payload: dict[str, Any] = {"kind": KIND, "recipes": plain}
        if account:
            payload["account"] = True
        if description:
            payload["what"] = description
        if threads:
            payload["threads"] = threads
        if check_origin(origin) != PROMPT:
            payload["origin"] = origin
        return self._jobs.submit(payload, priority, edits=files)

    def retry(self, job: JobRecord) -> str:
        """Queue a job's pictures once more; give the new job's id. Raises as `submit`."""
        recipes = [Recipe.load(values) for values in job.payload["recipes"]]
        files = check_recipes(recipes, self._sources, self._edits)
        return self._jobs.submit(job.payload, job.priority, retry_of=job.id, edits=files)  # type: ignore[arg-type]

    def draw(self, recipes: Sequence[Recipe], on_event: OnEvent | None = None) -> list[Generation]:
        """Make pictures and wait for them. Raises what `submit` and `finish` do."""
        return self.finish(self.submit(recipes), on_event)

    def finish(self, job_id: str, on_event: OnEvent | None = None) -> list[Generation]:
        """Wait for a job and give its pictures, in the order they were made.

        on_event: called with each Event as it comes.
        Raises EngineError if the job does not finish.
        """
        pictures: list[Generation] = []

        def on_each(event: Event) -> None:
            if on_event is not None:
                on_event(event)
            if event.kind == "image":
                pictures.append(self._history.get(event.data["generation"]))

        self._jobs.wait(job_id, on_each)
        return pictures
