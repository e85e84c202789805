"""Trainings of edits: started, gone on with after a death, their curves. What they learn is the engine's to know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.services import runs
from studio.services.estimate import seconds_for
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.features.extractors import OWN_CLIP, own_clips
from studio.training.lora import lengthening, measures
from studio.training.lora.files import FINISHED
from studio.training.lora.pace import in_words
from studio.training.lora.plan import MAX_STEPS, PicturesPlan, Plan

KIND = "train"
CHECKPOINT_EVERY_S = 30.0
LOOKED_AT = 50  # newest jobs of the ledger, among which those are sought that can be lengthened


class TrainingService:
    """The trainings of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources

    def start(
        self,
        plan: Mapping[str, Any],
        checkpoint_every_s: float = CHECKPOINT_EVERY_S,
        limit_s: float | None = None,
        title: str = "",
    ) -> str:
        """Queue a training in the background; give the job's id. A second one waits until the first is over.

        plan: plain values (studio.training.lora.plan.Plan).
        checkpoint_every_s: how much work a death may cost.
        limit_s: how long it may take in all; steps that take longer are refused after three of them, and where looks at
            pictures make it longer it ends in time, with what it has.
        title: a few words for the queue; "" is the edit's name.
        Raises BadInput, NotFound.
        """
        self._check_steps(plan)
        checked = Plan.load(dict(plan))
        self._sources.card(checked.model)  # a model that is not there is told now
        if checked.loss not in (losses := self._sources.engine_config().losses):
            names = ", ".join(sorted(losses))
            raise NotFound(f"There is no loss named {checked.loss[:60]!r}.", f"There are {names}.", field="loss")
        payload = {
            "kind": KIND,
            "plan": checked.plain(),
            "run": runs.new_run(),
            "what": title or checked.name,
            "checkpoint_every_s": checkpoint_every_s,
            **({} if limit_s is None else {"limit_s": limit_s}),
        }
        return self._submit(payload)

    def lengthen(self, job_id: str, steps: int) -> str:
        """Queue a training that is over once more, with so many steps beyond its last; give the new job's id.

        It goes on from its last checkpoint; its edit stays, and the next version of it comes of this. Curves go on.
        Raises NotFound, BadInput for a training that is not done, or whose checkpoint is gone, AssetError,
        WorkspaceError.
        """
        job = self._jobs.get(job_id)
        if job.kind != KIND or job.status != "done":
            raise BadInput(
                f"Job {job.number} is {'no training' if job.kind != KIND else 'not done'}: {job.description}.",
                "A training that ended early is gone on with; one that is done can be made longer.",
            )
        if steps < 1:
            raise BadInput(f"A training is made longer by 1 step or more, not {steps}.", field="steps")
        source, plan = self.folder(job), Plan.load(dict(job.payload["plan"]))
        longer = lengthening.lengthened(plan, lengthening.finished_steps(source) + steps)
        payload = {**job.payload, "plan": longer.plain(), "run": runs.new_run(), "what": longer.name}
        payload.pop("limit_s", None)
        payload.pop("from_step", None)
        lengthening.hand_on(source, runs.folder_of(self._archive.workspace.root, payload), plan, longer)
        return self._submit(payload)

    def is_laid_by(self, job_id: str) -> bool:
        """Whether a job is a training that is done, and has what it would go on from. Raises NotFound."""
        job = self._jobs.get(job_id)
        return job.kind == KIND and job.status == "done" and (self.folder(job) / FINISHED).is_file()

    def longest(self, erasure: Mapping[str, Any]) -> JobRecord | None:
        """The training that made an erasure, of the newest that are done; None where none can be lengthened.

        erasure: its plan, as an edit's provenance has it.
        """
        finished = (job for job in self._jobs.newest(LOOKED_AT) if job.kind == KIND and job.status == "done")
        same = (job for job in finished if (job.payload["plan"].get("provenance") or {}).get("erasure") == erasure)
        return next((job for job in same if (self.folder(job) / FINISHED).is_file()), None)

    def retry(self, job: JobRecord) -> str:
        """Queue what is left of a training; give the new job's id. Raises BadInput, NotFound."""
        return self._submit(job.payload, retry_of=job.id)

    def folder(self, job: JobRecord) -> Path:
        """Where a training's checkpoint and curves are: the same for every try at it. Raises BadInput."""
        return runs.folder_of(self._archive.workspace.root, job.payload)

    def curves(self, job: JobRecord) -> list[dict[str, Any]]:
        """The measures of a training so far: [{"step", "values": name -> number}], by step."""
        return measures.read(self.folder(job))

    def _submit(self, payload: Mapping[str, Any], retry_of: str | None = None) -> str:
        plan = Plan.load(dict(payload["plan"]))  # of a ledger, which may be somebody else's
        self._sources.card(plan.model)
        work, places = runs.work_of(self._archive.workspace.root, payload)
        if plan.pictures is not None:
            places["pictures"] = self._pictures(plan.pictures, payload["run"])
            places |= self._latents(plan.model, plan.pictures)
        if plan.judged is not None and plan.judged.features == OWN_CLIP:
            clips = own_clips(self._sources.settings.models_dir)
            if not clips:
                raise NotFound("The CLIP that this training judges pictures by is gone.", "Put it back.")
            places["clip"] = str(clips[0].absolute())
        return self._jobs.submit(work, "background", retry_of=retry_of, places=places)

    def _pictures(self, pictures: PicturesPlan, run: str) -> dict[str, str]:
        """Where the pictures are that a training learns from; no purge takes them until it is over. Raises NotFound."""
        images = set(pictures.names)
        ids = self._archive.generations.of_images(images)
        brought = {image for image in images - ids.keys() if self._archive.images.find(image) is not None}
        if missing := sorted(images - ids.keys() - brought):
            raise NotFound(f"There is no picture {missing[0][:12]} in the history.", field="pictures")
        self._archive.generations.hold(ids.values(), f"training:{run}")
        return {image: str(self._archive.images.find(image) or self._archive.images.path(image)) for image in images}

    def _latents(self, model: str, pictures: PicturesPlan) -> dict[str, dict[str, str]]:
        """Where final latents of pictures are kept, of those the model drew itself, and the hash of its weights then:
        those of other weights mean nothing to it.
        """
        hashes = self._archive.generations.drawn_by(model, pictures.names)
        paths = {image: self._archive.images.latents_path(image) for image in hashes}
        present = {image: str(path) for image, path in paths.items() if path.is_file()}
        return {"latents": present, "latents_of": {image: hashes[image] for image in present}}

    def _check_steps(self, plan: Mapping[str, Any]) -> None:
        """Raise BadInput for more steps than a training can have, with what they would take here."""
        steps, model = plan.get("steps"), plan.get("model")
        if not isinstance(steps, int) or steps <= MAX_STEPS or not isinstance(model, str):
            return
        side = self._sources.card(model).default_size_px
        step_s = seconds_for(self._jobs, [Recipe(model=model, steps=1, width=side, height=side)])
        # At the very least what a step of a picture takes, which has two rows and no gradient.
        time = f" would take at least {in_words(steps * step_s)} on this machine, and" if step_s else ""
        raise BadInput(
            f"{steps:,} steps{time} are more than a training has, {MAX_STEPS:,}.", "Take fewer steps.", field="steps"
        )


def progress(workspace: Path, payload: Mapping[str, Any]) -> dict[str, Any]:
    """How far a training has come, with its newest measures: {"step", "steps", "values": name -> number}.

    Its measures are ahead of its checkpoint while it runs, and may be behind it where it was stopped. Raises BadInput
    for a job that is none.
    """
    folder = runs.folder_of(workspace, payload)
    points = measures.read(folder)
    newest = points[-1] if points else {"step": 0, "values": {}}
    step = max(newest["step"], runs.steps_done(folder))
    return {"step": step, "steps": Plan.load(dict(payload["plan"])).steps, "values": newest["values"]}
