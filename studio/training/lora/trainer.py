"""The one trainer: any loss, on low-rank factors over a network that others draw with meanwhile.

A kind of job (studio.engine.kinds). It gives way after every evaluation of the network; at each of these places the
network is as it was. What it needs to go on is in one file, and a run that was killed at any instant ends with the bits
of one that was not (same machine, same number of threads).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput, Cancelled, NonFinite, OutOfMemory, WorkspaceError
from studio.core.recipe import LIVE
from studio.diffusion.predictions import Loss
from studio.engine.edits.stack import EditStack
from studio.engine.kinds import JobContext, Steps
from studio.engine.memory import give_back
from studio.engine.trouble import is_out_of_memory
from studio.training.handover import hand_over
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.held_out import HeldOut
from studio.training.lora.judged import Judged
from studio.training.lora.looks import Looks
from studio.training.lora.losses import build_loss
from studio.training.lora.measures import Measures
from studio.training.lora.memory import check_memory
from studio.training.lora.pace import MEASURED_STEPS, TimeLimit
from studio.training.lora.plan import Plan
from studio.training.lora.training import Training

CHECKPOINT_EVERY_S = 30.0
WINDOW_STEPS = 1000  # in which an edit that acts in a share of the steps is told from one that acts in all


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Train, or go on training.

    job: "id", "plan" (see Plan), "folder" (of the checkpoint: the same for every try at the same training),
    "edits" (EditRef.edit -> file) and "pictures" (sha256 -> file) where the plan names some, "latents" likewise of what
    they were decoded from, with "latents_of" (sha256 -> hash of the model then), "clip" (folder of a CLIP of the
    user's) where the plan judges by one, "checkpoint_every_s" where it is not 30, and "limit_s" where it may not take
    as long as it likes (see TimeLimit). Tells "measure", "progress" and, at its end or where it is stopped, the "edit"
    it has. Raises NotFound, BadInput, AssetError, NonFinite, OutOfMemory.
    """
    engine, plan = context.engine, Plan.load(job["plan"])
    loss = build_loss(plan.loss, plan.loss_params, engine.config.losses)
    check_memory(engine.store, plan, loss)
    try:
        yield from _train(job, plan, loss, context)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # which hold all that there was no room for
        give_back(engine.device)
        smaller = f"Start it anew with a batch of {plan.batch // 2}." if plan.batch > 1 else "Take a smaller model."
        raise OutOfMemory(
            f"There was not enough memory on {engine.device.type} for a training in batches of {plan.batch}.", smaller
        ) from None


def _train(job: Mapping[str, Any], plan: Plan, loss: Loss, context: JobContext) -> Steps:
    engine, tell, folder = context.engine, context.tell, Path(str(job["folder"]))
    tell("started", {"images": 0})
    began = time.monotonic()
    with ExitStack() as leases:
        bundle = leases.enter_context(engine.store.lease(plan.model, context.should_stop))
        beneath = engine.shelf.stack(plan.beneath, job.get("edits") or {}, WINDOW_STEPS)
        if not isinstance(beneath, EditStack):
            raise BadInput("What is learned on top of acts in every step.", "Take the edit whole.", field="beneath")
        training, checkpoints = Training(plan, loss, bundle, beneath), Checkpoints(folder)
        if (stored := checkpoints.read(plan.digest, training.base)) is not None:
            training.resume(stored)
        yield from training.prepare(checkpoints, job.get("pictures") or {}, _own_latents(job, training.base))
        yield from training.probe()
        live = f"{LIVE}{job['id']}"
        engine.shelf.hold(live, training.snapshot)
        leases.callback(engine.shelf.release, live)
        looks, held_out = Looks(plan, live, context, bundle.default_size_px), HeldOut(training)
        judged, choice = Judged(training, live, context, job), None
        if stored is not None:
            looks.load(stored.tensors)
            judged.load(stored.tensors)
        measures = Measures(folder, tell, training.step)
        limit = TimeLimit(job.get("limit_s"), plan.steps)
        earlier_s = training.seconds + looks.seconds + judged.seconds  # of runs before this one
        every_s = float(job.get("checkpoint_every_s", CHECKPOINT_EVERY_S))
        keep = _Keeper(training, (looks, judged), checkpoints, measures, every_s)
        try:
            while True:
                if looks.is_due(training.step):  # also where it was stopped right before
                    yield from looks.take(training.step)
                    measures.look(training.step, looks.measures())
                if held_out.is_due(training.step):
                    yield from held_out.take(training.step)
                    measures.look(training.step, held_out.measures())
                if judged.is_due(training.step):
                    yield from judged.take(training.step)
                    measures.look(training.step, judged.measures())
                if training.step >= plan.steps or looks.is_enough or held_out.is_enough or judged.is_enough:
                    break
                all_s = earlier_s + time.monotonic() - began
                if training.step == MEASURED_STEPS:
                    limit.check(training.pace_s, all_s - training.seconds)
                if limit.is_over(training.step, all_s, training.pace_s, _looks_s(looks, judged)):
                    break
                yield from training.advance()
                measures.add(training.step, training.measures, last=training.step == plan.steps)
                keep.now_and_then()
                spent_s = training.seconds + looks.seconds + judged.seconds
                tell("progress", _progress(training, spent_s, keep.trouble or judged.trouble))
                yield
            choice = yield from judged.choose()
        except Exception as error:
            if not isinstance(error, Cancelled | NonFinite) and not is_out_of_memory(error):
                raise
            keep.all()
            if training.step:
                with suppress(WorkspaceError):  # why it ends is what is to be told
                    tell("edit", hand_over(training.snapshot(), folder, training.step, final=False))
            raise
        keep.all()
        sentence = looks.ended() or held_out.ended() or judged.ended() or limit.ended()
        facts = {"ended": sentence} if sentence else {}
        edit = training.snapshot(facts)
        if choice is not None:
            best, origin = choice
            edit = replace(best, provenance={**best.provenance, **facts, **origin})
            facts |= {"outcome": origin["outcome"]}
        tell("edit", hand_over(edit, folder, training.step, final=True) | facts)
    tell("done", {"images": 0, "seconds": round(time.monotonic() - began, 3), "steps": training.step})


def _own_latents(job: Mapping[str, Any], model_hash: str) -> dict[str, str]:
    """Latents of pictures that these very weights drew: those of others, under whatever name, mean nothing to them."""
    hashes: Mapping[str, str] = job.get("latents_of") or {}
    latents: Mapping[str, str] = job.get("latents") or {}
    return {image: path for image, path in latents.items() if hashes.get(image, model_hash) == model_hash}


def _looks_s(looks: Looks, judged: Judged) -> float | None:
    """What looks may take from one step to the end; None where some are due that nobody has measured."""
    left_s = (looks.left_s, judged.left_s)
    return None if None in left_s else sum(filter(None, left_s))


class _Keeper:
    """Writes checkpoints. A disk that does not take one is told, and tried again; the training goes on."""

    def __init__(
        self,
        training: Training,
        looks: Sequence[Looks | Judged],
        checkpoints: Checkpoints,
        measures: Measures,
        every_s: float,
    ) -> None:
        self._every_s, self._looks = every_s, looks
        self._training, self._checkpoints, self._measures = training, checkpoints, measures
        self._last_s = time.monotonic()
        self.trouble = ""

    def now_and_then(self) -> None:
        if time.monotonic() - self._last_s >= self._every_s:
            self.all()

    def all(self) -> None:
        self._last_s = time.monotonic()
        try:
            checkpoint = self._training.checkpoint()
            tensors = {name: tensor for looks in self._looks for name, tensor in looks.state().items()}
            self._checkpoints.write(Checkpoint(checkpoint.standing, checkpoint.tensors | tensors))
            self._measures.write()
            self.trouble = ""
        except WorkspaceError as error:
            self.trouble = f"{error.message} The training goes on and tries again."


def _progress(training: Training, spent_s: float, trouble: str) -> dict[str, Any]:
    """spent_s: on steps and looks."""
    step, steps = training.step, training.plan.steps
    left_s = spent_s / step * (steps - step)
    progress = {"step": step, "steps": steps, "left_s": round(left_s, 1), "done": step / steps}
    return {**progress, "trouble": trouble} if trouble else progress
