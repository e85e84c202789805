"""The verb `erase`: a concept taken out of a model, as an edit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, follow, give
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of

if TYPE_CHECKING:
    from studio.engine.events import Event

METHODS = ("uce",)


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "erase", run, "take a concept out of a model, as an edit to switch on and off")
    parser.add_argument("concept", help="what to erase, as prompts name it")
    parser.add_argument(
        "--substitute", default="", metavar="WORDS", help="what takes its place (nothing: a style only)"
    )
    parser.add_argument("--synonym", action="append", default=[], metavar="WORDS", help="another word for it; repeat")
    parser.add_argument(
        "--kind", choices=("object", "style", "colour"), default="", help="what it is (the model's own words say)"
    )
    parser.add_argument("--preserve", action="append", default=[], metavar="TEXT", help="a text that stays; repeat")
    parser.add_argument("--untouched", action="store_true", help="what is preserved is not moved at all")
    parser.add_argument("--protect", help="how much all that stays weighs (1)")
    parser.add_argument("--completeness", help="how much of its way the concept goes, between 0 and 1 (0.999)")
    parser.add_argument("--method", choices=METHODS, default="uce", help="uce: in closed form, at once")
    parser.add_argument("--name", help="of the edit (no-CONCEPT)")
    parser.add_argument("--model", default="stencil", help="out of which model (stencil)")
    parser.add_argument("--seed", help="of the texts it is made with (0)")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Erase here and now, and say which edit came of it; the workspace is ours meanwhile."""
    from studio.services.studio import Studio

    answer: Answer = {"edit": "", "measures": {}}

    def on_event(event: Event) -> None:
        follow(event)
        if event.kind == "measure":
            answer["measures"] = event.data["values"]
        if event.kind == "edit":
            answer["edit"] = event.data["edit"]

    with Studio(settings_of(args), backend="inline") as studio:
        finish(studio, studio.erasures.start(_plan(args)), on_event)
    lines = [answer["edit"], *(f"  {name} {value:.3f}" for name, value in answer["measures"].items())]
    give(args, answer, "\n".join(lines))
    return 0


def _plan(args: argparse.Namespace) -> Answer:
    concept = {"words": args.concept, "synonyms": args.synonym, "substitute": args.substitute, "kind": args.kind}
    plan: Answer = {
        "name": args.name or f"no-{args.concept}",
        "model": args.model,
        "concepts": [concept],
        "preserves": args.preserve,
        "untouched": args.untouched,
    }
    numbers = {"protect": args.protect, "completeness": args.completeness, "seed": args.seed}
    return plan | {name: number(value) for name, value in numbers.items() if value is not None}
