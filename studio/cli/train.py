"""The verb `train`: an edit trained from a plan in a file; stopped and gone on with, made longer when it is done."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from studio.cli.answer import Answer, follow, give, remark
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.jobs import job_text
from studio.core.bounded_json import loads, without_repeats
from studio.core.errors import BadInput

MAX_PLAN_VALUES = 100_000


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "train", run, "train an edit from a plan; Ctrl-C stops it, --resume goes on")
    parser.add_argument("plan", nargs="?", type=Path, help="JSON: what learns, from which prompts, with which loss")
    parser.add_argument("--resume", metavar="JOB", help="go on with a training that ended early: its number or id")
    parser.add_argument("--more", metavar="STEPS", help="with --resume, of a training that is done: so many steps more")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Train here and now, and say which edit came of it; the workspace is ours meanwhile."""
    if (args.plan is None) == (args.resume is None):
        raise BadInput("Name either a plan or, with --resume, a training to go on with.", field="plan")
    if args.more is not None and args.resume is None:
        raise BadInput("Which training is to have more steps?", "Name it with --resume.", field="resume")
    further_steps = None if args.more is None else _steps_in(args.more)
    plan = None if args.plan is None else _plan_in(args.plan)
    from studio.services.ledger import Ledger
    from studio.services.studio import Studio
    from studio.services.trainings import KIND

    settings, edits = settings_of(args), []
    with Studio(settings, backend="inline") as studio:
        if plan is None:
            earlier = studio.jobs.find(args.resume)
            if earlier.kind != KIND:
                raise BadInput(f"Job {earlier.number} is no training: {earlier.description}.", "See: jobs list")
            job_id = (
                studio.jobs.retry(earlier.id)
                if further_steps is None
                else studio.trainings.lengthen(earlier.id, further_steps)
            )
        else:
            job_id = studio.trainings.start(plan)
        job_number = studio.jobs.get(job_id).number

        def on_event(event: Any) -> None:
            follow(event)
            if event.kind == "edit":
                edits.append(event.data["edit"])

        try:
            finish(studio, job_id, on_event)
        except KeyboardInterrupt:
            remark(f"To go on: python3 launch.py train --resume {job_number}")
            raise
    with Ledger(settings) as ledger:
        job: Answer = ledger.show(job_id)
    give(args, {**job, "edits": edits}, "\n".join([job_text(job), *edits]))
    return 0


def _steps_in(words: str) -> int:
    """Raises BadInput for what is no whole number."""
    steps = number(words)
    if not isinstance(steps, int):
        raise BadInput(f"Steps are a whole number, not {words[:40]!r}.", field="more")
    return steps


def _plan_in(path: Path) -> Answer:
    """The values of a plan's file. Raises BadInput for what is no JSON object."""
    try:
        values = loads(path.read_bytes(), MAX_PLAN_VALUES, pairs_hook=without_repeats)
    except OSError as error:
        raise BadInput(f"The plan {path} cannot be read: {error.strerror}.", field="plan") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The plan {path} is not valid JSON: {str(error).rstrip('.')}.", field="plan") from None
    if not isinstance(values, dict):
        raise BadInput(f"The plan {path} must be a JSON object, not {json.dumps(values)[:60]}.", field="plan")
    return values
