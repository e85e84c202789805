"""The verb `evaluate` of the command line: suites drawn with the base and under edits, read, and counted.

With an edit's name in a suite's place it gives the report card of an erasure (studio/cli/card.py).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import card
from studio.cli.answer import give, line, progress
from studio.cli.evaluate_rows import row_text
from studio.cli.files import write_file
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.evaluations import Evaluation
    from studio.services.studio import Studio


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    help = "measure what the model draws, and what edits change of it; what is known already is not drawn again"
    parser = add_verb(verbs, "evaluate", run, help)
    parser.add_argument(
        "suite",
        nargs="*",
        help="suites of prompts, or the name of an edit that erases, for its report card; without one, list the suites",
    )
    parser.add_argument(
        "--edits",
        action="append",
        default=[],
        metavar="STACK",
        help="compare with this stack of edits: NAME, NAME=STRENGTH, or JSON as for generate; may be repeated",
    )
    parser.add_argument("--model", default="stencil", help="whose pictures to measure")
    parser.add_argument("--pictures", metavar="N", help="of each suite (all of it)")
    parser.add_argument("--quick", action="store_true", help="as few pictures as a suite says is worth looking at")
    parser.add_argument("--steps", help="sampling steps (20)")
    parser.add_argument("--guidance-scale", metavar="W", help="of classifier-free guidance (the studio's default)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the result of every prompt here, as JSON; or the card, .html or .json",
    )
    parser.add_argument(
        "--budget", help="of a report card: preview (seconds), standard (minutes, the usual one) or full"
    )
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the rows; interrupted, what was measured is kept, and the next run goes on from there."""
    from studio.training.evaluate.suites import SUITES

    if not args.suite:
        suites = [{"name": name, **_about(suite)} for name, suite in SUITES.items()]
        give(args, {"suites": suites}, "\n".join(map(_suite_line, suites)))
        return 0
    if edit := card.edit_named(args, SUITES.names()):
        return card.run(args, edit, _follow)
    if args.budget is not None:
        raise BadInput("--budget is of an edit's report card: suites have --pictures.", field="budget")
    if args.quick and args.pictures is not None:
        raise BadInput("Say either how many --pictures, or --quick.", field="pictures")
    from studio.services.evaluations import report
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        job = studio.evaluations.start(_request(args, studio))
        finish(studio, job, _follow)
        measured = studio.evaluations.measured(studio.jobs.get(job))
    parts = report(measured)
    if args.out is not None:
        write_file(args.out, json.dumps(_by_prompt(measured), indent=1).encode())
    give(args, {"evaluations": parts}, "\n\n".join(map(table, parts)))
    return 0


def _about(suite: Any) -> dict[str, Any]:
    return {"about": suite.about, "pictures": suite.pictures, "quick": suite.quick}


def _suite_line(suite: dict[str, Any]) -> str:
    return f"{suite['name']:<14} {suite['about']} {suite['pictures']} pictures, {suite['quick']} with --quick."


def _request(args: argparse.Namespace, studio: Studio) -> dict[str, Any]:
    from studio.training.evaluate.suites import SUITES

    suites = {name: SUITES.get(name) for name in args.suite}
    pictures = None if args.pictures is None else number(args.pictures)
    protocol = studio.evaluations.usual_protocol(args.model).model_dump(mode="json")
    if args.steps is not None:
        protocol["steps"] = number(args.steps)
    if args.guidance_scale is not None:
        protocol["guidance"] = {"params": {"guidance_scale": number(args.guidance_scale)}}
    return {
        "model": args.model,
        "parts": [{"suite": name, "pictures": suites[name].quick if args.quick else pictures} for name in args.suite],
        "stacks": [[], *(stack_of(text) for text in args.edits)],
        "protocol": protocol,
    }


def stack_of(text: str) -> list[dict[str, Any]]:
    """A stack as it is typed: NAME, NAME=STRENGTH, or a JSON list of edits. Raises BadInput."""
    if not text.lstrip().startswith("["):
        name, equals, strength = text.rpartition("=")
        return [{"edit": name, "strength": number(strength)}] if equals else [{"edit": text}]
    try:
        stack = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The --edits are not valid JSON: {str(error).rstrip('.')}.", field="edits") from None
    return stack


def table(part: dict[str, Any]) -> str:
    """The rows of one suite under one stack, as text for a terminal."""
    progress = part["pictures"] if part["pictures"] == part["of"] else f"{part['pictures']} of {part['of']}"
    lines = [f"{part['suite']}, {part['label']}: {progress} pictures", *map(row_text, part["rows"])]
    if "against" in part:
        lines += [
            f"against {part['against']['label']}, at equal prompts and seeds",
            *map(row_text, part["against"]["rows"]),
        ]
    return "\n".join(lines)


def _by_prompt(measured: Sequence[Evaluation]) -> list[dict[str, Any]]:
    return [
        {
            "suite": evaluation.suite,
            "edits": [ref.model_dump(mode="json") for ref in evaluation.stack],
            "why_unread": evaluation.why_unread,
            "results": [result.plain() for result in evaluation.results],
        }
        for evaluation in measured
    ]


def _follow(event: Event) -> None:
    """Progress on one line of a terminal; nothing in a file or pipe."""
    if event.kind == "progress":
        left = f", {event.data['left_s']:.0f} s left" if "left_s" in event.data else ""
        line(f"{event.data['step']} of {event.data['steps']} pictures{left}. {event.data.get('trouble', '')}")
    else:
        progress(event.kind, event.data)
