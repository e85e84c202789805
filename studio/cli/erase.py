"""The verb `erase`: a concept taken out of a model, as an edit."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.trained import CHOICES, OPTIONS, add_training, limit_s, make, said, text_of

METHODS = {  # torch-free, for --help
    "uce": "at once",
    "ca": "replace",
    "abo": "careful",
    "esd": "the field's baseline",
    "slider": "gone at +1, more of it at -1",
    "spm": "held by anchors",
    "negation": "a baseline: learned, and applied the other way",
}
NUMBERS = {
    "eta": "of ESD, a slider, SPM, and All but One away from it: strength (1)",
    "mu": "of All but One: weight of the drift without a prompt (1)",
    "kappa": "of SPM: weight of its anchors (1000)",
    "anchors": "of SPM: how many for each row (4)",
}
TOWARDS = ("substitute", "nothing", "away")


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
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="uce",
        help="; ".join(f"{name}: {summary}" for name, summary in METHODS.items()),
    )
    parser.add_argument("--name", help="of the edit (no-CONCEPT)")
    parser.add_argument("--model", default="stencil", help="out of which model (stencil)")
    parser.add_argument("--seed", help="of the texts it is made with (0)")
    training = add_training(parser, "methods that train")
    for name, help_text in NUMBERS.items():
        training.add_argument(f"--{name}", metavar="N", help=help_text)
    training.add_argument("--towards", choices=TOWARDS, help="of All but One: where the concept goes")
    training.add_argument("--carrier", metavar="WORDS", help="of ESD: what stays when the concept is taken from it")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Erase here and now, and say which edit came of it; the workspace is ours meanwhile."""
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        minutes = limit_s(args.minutes)
        answer = make(studio, lambda: studio.erasures.start(_plan(args), minutes), goes_on=args.method != "uce")
    give(args, answer, text_of(answer))
    return 0


def _plan(args: argparse.Namespace) -> Answer:
    concept = {"words": args.concept, "synonyms": args.synonym, "substitute": args.substitute, "kind": args.kind}
    plan: Answer = {
        "name": args.name or f"no-{args.concept}",
        "model": args.model,
        "concepts": [concept],
        "preserves": args.preserve,
        "untouched": args.untouched,
        "method": args.method,
        "training": said(args, (*OPTIONS, *NUMBERS), (*CHOICES, "towards", "carrier")),
    }
    numbers = {"protect": args.protect, "completeness": args.completeness, "seed": args.seed}
    return plan | {name: number(value) for name, value in numbers.items() if value is not None}
