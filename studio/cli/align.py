"""The verb `align`: an edit that draws what people preferred."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import give, remark
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.trained import limit_s, make, text_of

METHODS = {  # torch-free, for --help
    "dpo": "pairs, against the base",
    "dpo-anchored": "slower, holds what pictures are made of",
    "dpo-ties": "ties too",
    "smpo": "by how sure a pair is",
    "mapo": "without a reference: goes furthest",
    "kto": "thumbs",
    "bco": "thumbs, as a classifier",
    "plackett-luce": "ranked lists",
    "rankdpo": "ranked lists, the top first",
    "sft": "plain training on winners",
}
NUMBERS = {
    "steps": "of the optimiser (the objective's own)",
    "lr": "learning rate (the objective's own)",
    "rank": "of its factors (8)",
    "batch": "pairs of a step (4)",
    "first": "earliest time it learns at, 0 is the picture and 1 noise (the objective's own)",
    "ema": "decay of averaged factors (0, none)",
    "caption-dropout": "share of pairs learned from without their prompt (0)",
    "pictures": "of held-out prompts, drawn and judged at each look; 0 for none (24 in Stencil's world, else 8)",
    "protect": "how much the base's drawing without a prompt weighs (0)",
    "stop-rise": "rise of the error on held-out winners that ends it, as a share (0.05)",
    "seed": "of factors, noise and order (0)",
}


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "align", run, "train labels into an edit that draws what was preferred")
    parser.add_argument("--snapshot", required=True, metavar="NAME", help="of labels (`label snapshot`)")
    parser.add_argument(
        "--method", choices=METHODS, help="; ".join(f"{name}: {about}" for name, about in METHODS.items())
    )
    parser.add_argument("--name", help="of the edit (aligned-SNAPSHOT)")
    parser.add_argument("--model", default="stencil", help="which model learns (stencil)")
    parser.add_argument("--minutes", help="in all: refuse steps that take longer on this machine, end where looks do")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the loss, such as beta=100 or beta=auto; repeat",
    )
    for name, help_text in NUMBERS.items():
        parser.add_argument(f"--{name}", metavar="N", help=help_text)
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Train it here and now, and say which edit came of it; the workspace is ours meanwhile."""
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        contents = studio.alignments.contents(args.snapshot)
        plan = _plan(args, contents.objective)
        if args.method is None:
            remark(f"By {contents.objective}: {contents.why}")
        for warning in contents.warnings(args.model):
            remark(warning)
        minutes = limit_s(args.minutes)
        answer = make(studio, lambda: studio.alignments.start(plan, minutes), str(plan["name"]), goes_on=True)
    give(args, {**answer, "method": plan["method"]}, text_of(answer))
    return 0


def _plan(args: argparse.Namespace, recommended: str) -> dict[str, Any]:
    plan: dict[str, Any] = {
        "name": args.name or f"aligned-{args.snapshot}"[:80],
        "model": args.model,
        "method": args.method or recommended,
        "snapshot": args.snapshot,
        "params": dict(_param(text) for text in args.param),
    }
    values = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in NUMBERS}
    return plan | {name: number(value) for name, value in values.items() if value is not None}


def _param(text: str) -> tuple[str, Any]:
    from studio.core.errors import BadInput

    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BadInput(f"A parameter is given as NAME=VALUE, not {text[:40]!r}.", field="param")
    return name, number(value)
