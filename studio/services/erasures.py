"""Erasures of concepts: checked, queued; the edit that comes of one is among the workspace's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.models.clip_vocabulary import WORD_END
from studio.services import runs
from studio.services.estimate import seconds_for
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.services.trainings import KIND as TRAINING
from studio.services.trainings import TrainingService
from studio.storage.archive import Archive
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import ErasePlan, read_plan
from studio.training.erase.preview import Sight, sights
from studio.training.erase.trained import training_plan

KIND = "erase"
CLOSED_FORM_S = 1.0  # measured on Stencil at 0.2 CPU seconds, and told with room
# A step of the optimiser with four pictures, on Stencil with one thread: 0.35 to 0.45 s; a step of a picture 0.015 s.
WORLD_STEP_S, STEP_IN_PICTURE_STEPS = 0.4, 25
LOOKED_AT = 20  # newest jobs of the ledger


@dataclass(frozen=True)
class Outlook:
    """What an erasure would take.

    steps: of a training, 0 of the closed form.
    seconds: on this machine; None where nothing says so yet.
    may_end_early: whether it is looked on the way, so that both are the most it takes.
    """

    steps: int
    seconds: float | None
    may_end_early: bool = False


class ErasureService:
    """The erasures of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, trainings: TrainingService) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._trainings = trainings

    def start(
        self, plan: Mapping[str, Any], limit_s: float | None = None, beside: Mapping[str, Any] | None = None
    ) -> str:
        """Queue an erasure: in closed form before all that waits in the background, else a training; give the job's id.

        plan: plain values (studio.training.erase.plan.ErasePlan); of a concept of the model's world, its kind and its
        other words are filled in. limit_s: how long a training may take in all. beside: what else the ledger is
        to know of one in closed form.
        Raises BadInput, NotFound, AssetError.
        """
        checked = self.check(plan)
        words = f"erasing {', '.join(concept.words for concept in checked.concepts)}"
        method = METHODS.get(checked.method)
        if method.learning is not None:
            return self._trainings.start(training_plan(checked, method), limit_s=limit_s, title=words)
        payload = {"kind": KIND, "plan": checked.model_dump(mode="json"), "run": runs.new_run(), "what": words}
        payload |= beside or {}
        work, places = runs.work_of(self._archive.workspace.root, payload)
        return self._jobs.submit(work, "interactive", places=places)

    def check(self, plan: Mapping[str, Any]) -> ErasePlan:
        """The plan as it would be run. Raises BadInput, NotFound, AssetError."""
        return self._settled(read_plan(plan))

    def refusals(self, plan: Mapping[str, Any], separate: bool = False) -> list[str]:
        """Of each of a plan's concepts why it cannot be erased, a sentence; "" if it can.

        It is checked beside those before it that can; separate: each by itself. Raises NotFound, AssetError.
        """
        sentences: list[str] = []
        taken: list[Any] = []
        for concept in plan["concepts"]:
            try:
                self.check({**plan, "concepts": [concept] if separate else [*taken, concept]})
            except BadInput as error:
                sentences.append(str(error))
            else:
                sentences.append("")
                taken.append(concept)
        return sentences

    def sights(self, plan: Mapping[str, Any]) -> tuple[Sight, ...]:
        """Prompts to look at an erasure in: its concept twice, a neighbour, something unrelated. Raises as `check`."""
        checked = self.check(plan)
        return sights(checked.concepts, checked.in_world, checked.preserves)

    def outlook(self, plan: Mapping[str, Any]) -> Outlook:
        """What an erasure would take. Raises as `check`."""
        checked = self.check(plan)
        method = METHODS.get(checked.method)
        if method.learning is None:
            return Outlook(0, CLOSED_FORM_S if checked.in_world else None)
        training = training_plan(checked, method)
        steps, step_s = int(training["steps"]), self._step_seconds(checked)
        return Outlook(steps, None if step_s is None else steps * step_s, "looks" in training)

    def _step_seconds(self, plan: ErasePlan) -> float | None:
        """Of a step of the optimiser: by the newest training of the model, else by how long its pictures take."""
        for job in self._jobs.newest(LOOKED_AT):
            if job.kind == TRAINING and job.status == "done" and job.payload["plan"].get("model") == plan.model:
                with contextlib.suppress(NotFound, KeyError):  # of an earlier run
                    end = self._jobs.events(job.id)[-1].data
                    return float(end["seconds"]) / int(end["steps"])
        side = self._sources.card(plan.model).default_size_px
        step_s = seconds_for(self._jobs, [Recipe(model=plan.model, steps=1, width=side, height=side)])
        if step_s is not None:
            return STEP_IN_PICTURE_STEPS * step_s
        return WORLD_STEP_S if plan.in_world else None

    def _settled(self, plan: ErasePlan) -> ErasePlan:
        method = METHODS.get(plan.method)
        if plan.sliders and method.learning is not None:
            raise BadInput(
                f"{method.title} makes one edit of all concepts; only Instant makes one slider for each.",
                "Choose Instant, or erase each concept by itself.",
                field="sliders",
            )
        self._check_length(plan)
        in_world = self._sources.is_of_world(plan.model)
        for concept in plan.concepts if in_world else ():
            self._check_known(plan.model, (*concept.called(), concept.substitute))
        concepts = tuple(concept.in_world() if in_world else concept for concept in plan.concepts)
        for concept in concepts if in_world else ():
            method.check(concept)
        # Read once more: the other words of one concept may be the substitute of another.
        return read_plan(plan.model_copy(update={"concepts": concepts, "in_world": in_world}).model_dump(mode="json"))

    def _check_length(self, plan: ErasePlan) -> None:
        """Raise BadInput for a text of the user's that the model does not read to its end."""
        concept_words = (word for concept in plan.concepts for word in (*concept.called(), concept.substitute))
        for text in (*plan.preserves, *concept_words):
            if cut := self._sources.prompt_report(text, plan.model, "plain").cut:
                raise BadInput(
                    f"The text {text[:60]!r} is too long for {plan.model}, which does not read {cut[:60]!r}.",
                    "Say it shorter.",
                )

    def _check_known(self, model: str, words: Iterable[str]) -> None:
        for word in words:
            if unknown := self._sources.prompt_report(word, model, "plain").unknown_words:
                spelled = self._sources.prompt_report(unknown[0], model, "plain").rows
                pieces = " + ".join(row.token.removesuffix(WORD_END) for row in spelled)
                raise BadInput(
                    f"{model} does not know the word {unknown[0]!r}: it reads {pieces}, and draws nothing by it.",
                    "Name something that it draws.",
                    field="concepts",
                )
