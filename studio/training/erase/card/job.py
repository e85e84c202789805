"""The kind of job "card": pictures to look at, before and after, and all that a report card is counted from.

The pictures come first, for somebody may be waiting to see them; then one evaluation, then what a larger budget adds:
drift in nats, words put before a prompt, rounded weights, the concept learned again, its embeddings sought anew.
Pictures are kept in the history as any other, drawn for a card; what is measured is kept as that of any evaluation, and
nothing is measured twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from shutil import rmtree
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import EditRef
from studio.engine.edits.files import read_edit
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.kinds import JobContext, Steps
from studio.engine.resident import room_of
from studio.training.drift import job as drift
from studio.training.erase.card.attack import MOST_WORDS, walk
from studio.training.erase.card.budget import budget_named
from studio.training.erase.card.inverted import inverted
from studio.training.erase.card.probe import Probe
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.relearning import RELEARNED, STRENGTH, relearning_plan
from studio.training.erase.card.rounded import NAMES, rounded
from studio.training.erase.card.subject import Subject
from studio.training.evaluate import job as evaluation
from studio.training.evaluate.files import read_run, results_path, run_named
from studio.training.evaluate.store import read
from studio.training.lora import trainer

EVALUATION, FURTHER = 0.8, 0.5  # of what is left, the share that a part's progress counts for, where more may follow


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Draw the pictures, then evaluate, then the rest; yields wherever these do.

    job: as of an evaluation (studio.training.evaluate.job.run), "card" (subject, budget) and "pictures" (recipes, plain
    values); where drift is measured, "drift" (of a job of that kind: "request", "run").
    Tells "started", "image" of every picture, "progress" and "measure", and "done" (with how many pictures were drawn).
    Raises what the parts do.
    """
    began, tally = time.monotonic(), _Told(context)
    context.tell("started", {"images": len(job.get("pictures", ()))})
    yield from _pictures(job, tally)
    card = job["card"]
    subject, budget = Subject.load(card["subject"], False), budget_named(str(card["budget"]))
    probes = probes_of(subject, budget)
    is_rounded = subject.in_world and budget.is_rounded and "strength" in probes
    is_relearned = subject.in_world and budget.is_relearned and "strength" in probes
    is_inverted = subject.in_world and budget.is_inverted and "strength" in probes
    is_more = job.get("drift") or "attack" in probes or is_rounded or is_relearned or is_inverted
    yield from evaluation.run(job, tally.within(EVALUATION if is_more else 1.0))
    if job.get("drift"):
        yield from drift.run({**job["drift"], "edits": job["edits"], "folder": job["folder"]}, tally.within())
    for _ in range(MOST_WORDS - 1 if "attack" in probes else 0):
        if missing_probes := walk(probes["attack"], _known(job), subject.targets, budget.attack)[1]:
            yield from _further(job, tally, "attack", missing_probes)
    if is_rounded:
        yield from _rounded(job, tally, probes["strength"])
    if is_relearned:
        yield from _relearned(job, tally, subject, probes["strength"])
    if is_inverted:
        yield from inverted(job, tally.within(), subject, [probe.case for probe in probes["strength"]])
    seconds = round(time.monotonic() - began, 3)
    context.tell("done", {"images": len(job.get("pictures", ())), "drawn": tally.drawn, "seconds": seconds})


class _Told:
    """What is told of the parts: one beginning, one end, and progress that never goes back."""

    def __init__(self, context: JobContext) -> None:
        self._context, self.drawn = context, 0
        self._progress: dict[str, Any] = {"step": 0, "steps": 0, "done": 0.0}
        self._start, self._share = 0.0, 1.0

    def within(self, share: float = FURTHER) -> JobContext:
        """What a part runs in. share: of what is left of the job."""
        self._start, self._share = self._progress["done"], share
        return JobContext(self._context.engine, self._tell, self._context.should_stop)

    def _tell(self, kind: Any, data: dict[str, Any]) -> None:
        if kind == "done":
            self.drawn += data.get("drawn", 0)
        elif kind == "image":
            self.drawn += 1
            self._context.tell(kind, data)
        elif kind == "measure" and self._start == 0:  # one curve: later parts measure other things
            self._context.tell(kind, data)
        elif kind == "progress" and "images" not in data:
            # Steps are the first part's pictures: later parts count other things.
            counts = data if self._start == 0 else self._progress
            share_done = self._start + self._share * (1 - self._start) * data["done"]
            self._progress = {**counts, "done": share_done, "left_s": data.get("left_s", 0.0)}
            self._context.tell("progress", self._progress)


def _pictures(job: Mapping[str, Any], tally: _Told) -> Steps:
    if not job.get("pictures"):
        return
    work = {"kind": "generate", "recipes": job["pictures"], "edits": job["edits"], "origin": "card", "previews": False}
    context = tally.within(0.0)
    with closing(
        context.engine.steps({**work, "threads": job.get("threads")}, context.tell, context.should_stop)
    ) as steps:
        yield from steps


def _known(job: Mapping[str, Any]) -> Mapping[Any, Any]:
    """What was read of pictures with the edit."""
    folder = Path(str(job["folder"]))
    digests = read_run(folder, str(job["run"])).digests
    return read(results_path(folder, digests[1])) if len(digests) > 1 else {}


def _further(job: Mapping[str, Any], tally: _Told, name: str, probes: list[Probe], stack: Any = None) -> Steps:
    """Evaluate some more, under the edit where no other stack is named."""
    request = dict(job["request"])
    cases = [probe.case.plain() for probe in probes]
    stacks = [request["stacks"][1] if stack is None else stack]
    request |= {"parts": [{"suite": name}], "stacks": stacks, "protocols": []}
    work = {**job, "request": request, "cases": {name: cases}, "run": run_named(str(job["run"]), name)}
    yield from evaluation.run(work, tally.within())


def _rounded(job: Mapping[str, Any], tally: _Told, probes: Any) -> Steps:
    """The edit with its weights in fewer bits. One that cannot be rounded is passed over."""
    context = tally.within()
    engine, ref = context.engine, EditRef.model_validate(job["request"]["stacks"][1][0])
    stack = engine.shelf.stack([ref], job["edits"], int(job["request"]["protocol"]["steps"]))
    for bits, name in NAMES.items() if isinstance(stack, EditStack) else ():
        with engine.lease(str(job["request"]["model"]), context.should_stop, False) as bundle:
            room_of(bundle).use(EMPTY)
            try:
                edit = rounded(stack.entries[0][0], bundle.components(), bits)
            except BadInput:
                return
        engine.shelf.hold(name, lambda edit=edit: edit)
        try:
            yield from _further(job, tally, name, list(probes), [{"edit": name}])
        finally:
            engine.shelf.release(name)


def _relearned(job: Mapping[str, Any], tally: _Told, subject: Subject, probes: Any) -> Steps:
    """The concept taught again on top of the edit. Killed within it, the training goes on where it was."""
    context, run = tally.within(), run_named(str(job["run"]), RELEARNED)
    folder, paths = Path(str(job["folder"])) / f"{RELEARNED}-{run}", list[str]()
    refs = job["request"]["stacks"][1]

    def tell(kind: Any, data: dict[str, Any]) -> None:
        if kind == "edit":
            paths.append(data["path"])
        else:
            context.tell(kind, data)

    plan = relearning_plan(subject, refs, int(job["request"]["protocol"]["steps"]))
    work = {"id": run, "plan": plan, "folder": str(folder), "edits": job["edits"]}
    yield from trainer.run(work, JobContext(context.engine, tell, context.should_stop))
    edit = read_edit(Path(paths[-1]))
    context.engine.shelf.hold(RELEARNED, lambda: edit)
    try:
        yield from _further(job, tally, RELEARNED, list(probes), [*refs, {"edit": RELEARNED, "strength": STRENGTH}])
    finally:
        context.engine.shelf.release(RELEARNED)
    rmtree(folder, ignore_errors=True)
