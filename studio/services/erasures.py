"""Erasures of concepts: checked, queued; the edit that comes of one is among the workspace's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio.core.errors import BadInput
from studio.services import runs
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.training.erase.concept import Concept
from studio.training.erase.plan import InstantPlan, read_plan

KIND = "erase"


class ErasureService:
    """The erasures of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources

    def start(self, plan: Mapping[str, Any]) -> str:
        """Queue an instant erasure before all that waits in the background; give the job's id.

        plan: plain values (studio.training.erase.plan.InstantPlan); of a concept of the model's world, its kind and its
        other words are filled in. Raises BadInput, NotFound, AssetError.
        """
        checked = self._settled(read_plan(plan))
        words = ", ".join(concept.words for concept in checked.concepts)
        payload = {
            "kind": KIND,
            "plan": checked.model_dump(mode="json"),
            "run": runs.new_run(),
            "what": f"erasing {words}",
        }
        work, places = runs.work_of(self._archive.workspace.root, payload)
        return self._jobs.submit(work, "interactive", places=places)

    def _settled(self, plan: InstantPlan) -> InstantPlan:
        in_world = self._sources.is_of_world(plan.model)
        for concept in plan.concepts if in_world else ():
            self._check_known(plan.model, (*concept.called(), concept.substitute))
        concepts = tuple(concept.in_world() if in_world else concept for concept in plan.concepts)
        for concept in concepts if in_world else ():
            _check_substitute(concept)
        # Read once more: the other words of one concept may be the substitute of another.
        return read_plan(plan.model_copy(update={"concepts": concepts, "in_world": in_world}).model_dump(mode="json"))

    def _check_known(self, model: str, words: Iterable[str]) -> None:
        for word in words:
            if unknown := self._sources.prompt_report(word, model, "plain").unknown_words:
                raise BadInput(
                    f"{model} does not know the word {unknown[0]!r}, so it draws nothing by it.",
                    "Name something that it draws.",
                    field="concepts",
                )


def _check_substitute(concept: Concept) -> None:
    """Raise BadInput where leaving the words out was measured to leave garbage, or the concept itself."""
    if not concept.substitute and concept.kind != "style":
        raise BadInput(
            f"{concept.words!r} needs a substitute: of an object or a colour, instant erasure cannot make nothing.",
            "Say what takes its place.",
            field="concepts",
        )
