"""The kind of job "card": pictures to look at, the evaluation a report card is counted from, and divergences in nats.

The pictures come first, for somebody may be waiting to see them. They are kept in the history as any other, drawn for a
card; what is measured is kept as that of any evaluation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from studio.engine.kinds import JobContext, Steps, Tell
from studio.training.drift import job as drift
from studio.training.evaluate import job as evaluation


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Draw the pictures, evaluate, measure divergences; yields wherever one of these does.

    job: as of an evaluation (studio.training.evaluate.job.run), "pictures" (recipes, plain values), and where they are
    measured "drift" ("request" and "run" of studio.training.drift.job.run).
    Tells "started", "image" of every picture, what an evaluation tells, and "done" (with how many pictures were drawn).
    Raises what they do.
    """
    began, recipes, divergences = time.monotonic(), job.get("pictures", ()), job.get("drift")
    drawn = len(recipes)
    context.tell("started", {"images": len(recipes)})
    if recipes:
        pictures = {"kind": "generate", "recipes": recipes, "edits": job["edits"], "origin": "card", "previews": False}
        tell, threads = _only(context, "image"), job.get("threads")
        with closing(context.engine.steps({**pictures, "threads": threads}, tell, context.should_stop)) as steps:
            yield from steps

    def tell_evaluation(kind: Any, data: dict[str, Any]) -> None:
        nonlocal drawn
        if kind == "done":
            drawn += data["drawn"]
        _only(context, "progress", "measure")(kind, data)

    yield from evaluation.run(job, JobContext(context.engine, tell_evaluation, context.should_stop))
    if divergences:
        yield from drift.run({**job, **divergences}, JobContext(context.engine, _only(context), context.should_stop))
    seconds = round(time.monotonic() - began, 3)
    context.tell("done", {"images": len(recipes), "drawn": drawn, "seconds": seconds})


def _only(context: JobContext, *kinds: str) -> Tell:
    """Tells what is of these kinds; the rest stays here, for the job has one beginning and one end."""
    return lambda kind, data: context.tell(kind, data) if kind in kinds else None
