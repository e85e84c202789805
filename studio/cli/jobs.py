"""The verb `jobs`: what the studio has done and is doing."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import Answer, give, line
from studio.cli.following import finish
from studio.cli.grammar import add_actions, add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput


def add(verbs: Any) -> None:
    """Add the verb and its actions to argparse's subparsers."""
    actions = add_actions(verbs, "jobs", "what the studio has done and is doing")
    listing = add_verb(actions, "list", run_list, "the newest jobs; also beside a running studio")
    listing.add_argument("--limit", default="20", help="how many (20)")
    show = add_verb(actions, "show", run_show, "one job with what it has made; also beside a running studio")
    watch = add_verb(actions, "watch", run_watch, "wait until a running studio's job is over")
    retry = add_verb(actions, "retry", run_retry, "run a finished job again, here and now; a training goes on")
    for parser in (show, watch, retry):
        parser.add_argument("job", help="its number or id")
    for parser in (listing, show, watch, retry):
        add_settings(parser)


def run_list(args: argparse.Namespace) -> int:
    """Print the newest jobs, a line each."""
    from studio.services.ledger import Ledger

    limit = number(args.limit)
    if not isinstance(limit, int) or not 1 <= limit <= 200:
        raise BadInput(f"The number of jobs must be a whole number from 1 to 200, not {args.limit!r}.", field="limit")
    with Ledger(settings_of(args)) as ledger:
        jobs = ledger.page(limit)
    give(args, {"jobs": jobs}, "\n".join(job_line(job) for job in jobs) or "No job yet.")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Print one job with its pictures, or how far a training has come."""
    from studio.services.ledger import Ledger

    with Ledger(settings_of(args)) as ledger:
        job = ledger.show(args.job)
    give(args, job, job_text(job))
    return 0


def run_watch(args: argparse.Namespace) -> int:
    """Wait for a job's end; 1 unless it is done."""
    from studio.services.ledger import Ledger

    with Ledger(settings_of(args)) as ledger:
        job = ledger.watch(args.job, lambda job: line(_waits(job) if job["in_hand"] else _state(job)))
    line("")
    give(args, job, job_text(job))
    return 0 if job["status"] == "done" else 1


def run_retry(args: argparse.Namespace) -> int:
    """Run it again and print the new job."""
    from studio.services.ledger import Ledger
    from studio.services.studio import Studio

    settings = settings_of(args)
    with Studio(settings, backend="inline") as studio:
        job_id = studio.jobs.retry(studio.jobs.find(args.job).id)
        finish(studio, job_id)
    with Ledger(settings) as ledger:
        job = ledger.show(job_id)
    give(args, job, job_text(job))
    return 0


def job_line(job: Answer) -> str:
    """A job in a line."""
    why = f"  {job['error']}" if job["error"] else ""
    return f"{job['number']:>5}  {job['status']:<11}  {(job['created_at'] or '')[:19]:<19}  {job['what']}{why}"


def job_text(job: Answer) -> str:
    """A job, and below it what it has made."""
    training = [f"{_so_far(job)}{_values(job['training'])}"] if "training" in job else []
    waits = [_waits(job)] if job["in_hand"] else []
    return "\n".join([job_line(job), *waits, *training, *job["pictures"]])


def _waits(job: Answer) -> str:
    """Behind what a job waits."""
    numbers = job["in_hand"]
    return f"waits; job{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))} in hand"


def _state(job: Answer) -> str:
    return f"{job['status']}, {_so_far(job)}"


def _so_far(job: Answer) -> str:
    if "training" in job:
        return f"step {job['training']['step']} of {job['training']['steps']}"
    return f"{len(job['pictures'])} pictures"


def _values(training: Answer) -> str:
    return "".join(f", {name} {value:.4g}" for name, value in training["values"].items())
