"""The verb `balance`: the attributes of a concept's pictures in wanted proportions, as an edit."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.trained import make, text_of
from studio.core.errors import BadInput

NUMBERS = {
    "rounds": "looks at most (8)",
    "pictures": "of each look (24)",
    "checked": "pictures of base and edit each, which the result is told by (48)",
    "steps": "of a picture (10)",
    "tolerance": "difference of a share that is no longer mended (0.1)",
    "seed": "of texts and pictures (0)",
    "protect": "how much all that stays weighs (1)",
    "completeness": "how much of its way an attribute goes, between 0 and 1 (0.999)",
}


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "balance", run, "have pictures of something show colours or styles in wanted proportions")
    parser.add_argument("concept", help="an object, as prompts name it")
    parser.add_argument(
        "attributes",
        nargs="+",
        metavar="ATTRIBUTE",
        help="colours or styles: red blue, or red=2 blue=1 for more of one",
    )
    parser.add_argument("--preserve", action="append", default=[], metavar="TEXT", help="a text that stays; repeat")
    parser.add_argument("--name", help="of the edit (balanced-CONCEPT)")
    parser.add_argument("--model", default="stencil", help="of which model (stencil)")
    for name, help_text in NUMBERS.items():
        parser.add_argument(f"--{name}", metavar="N", help=help_text)
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Balance here and now, and say which edit came of it; the workspace is ours meanwhile."""
    from studio.services.studio import Studio
    from studio.training.balance.plan import usual_name

    plan: Answer = {
        "name": args.name or usual_name(args.concept),
        "model": args.model,
        "concept": args.concept,
        "attributes": [_attribute(text) for text in args.attributes],
        "preserves": args.preserve,
    }
    plan |= {name: number(value) for name in NUMBERS if (value := getattr(args, name)) is not None}
    with Studio(settings_of(args), backend="inline") as studio:
        answer = make(studio, lambda: studio.balances.start(plan), str(plan["name"]), goes_on=False)
    give(args, answer, text_of(answer))
    return 0


def _attribute(text: str) -> Answer:
    """red, or red=2. Raises BadInput for a weight that is no number above 0."""
    words, parted, weight = text.partition("=")
    if not parted:
        return {"words": words}
    value = number(weight)
    if isinstance(value, str) or not value > 0:
        raise BadInput(f"The weight of {words!r} is a number above 0, not {weight[:40]!r}.", field="attributes")
    return {"words": words, "weight": value}
