"""The verb `erase`: concepts taken out of a model, as an edit or as several."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give, remark
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.trained import CHOICES, OPTIONS, add_training, limit_s, make, said, text_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.training.erase.lines import Line

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
WORDS = ("towards", "carrier", "early_stopping")
TOWARDS = ("substitute", "nothing", "away")


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "erase", run, "take concepts out of a model, as an edit to switch on and off")
    parser.add_argument(
        "concept", nargs="*", help="what to erase, as prompts name it; of several each as 'star -> heart'"
    )
    parser.add_argument("--file", type=Path, help="concepts, one on each line: star -> heart; or a .csv file")
    parser.add_argument(
        "--separate", action="store_true", help="of several: an edit each, solved alone, and no joint one"
    )
    parser.add_argument(
        "--sliders", action="store_true", help="of several: beside the joint edit one for each, that add up to it"
    )
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
    parser.add_argument("--name", help="of the edit (no-CONCEPT); of separate ones what their names begin with")
    parser.add_argument("--model", default="stencil", help="out of which model (stencil)")
    parser.add_argument("--seed", help="of the texts it is made with (0)")
    training = add_training(parser, "methods that train")
    for name, help_text in NUMBERS.items():
        training.add_argument(f"--{name}", metavar="N", help=help_text)
    training.add_argument("--towards", choices=TOWARDS, help="of All but One: where the concept goes")
    training.add_argument(
        "--early-stopping",
        action=argparse.BooleanOptionalAction,
        help="of ca, abo: over when the substitute is drawn as often as by the base (yes, where it can be read)",
    )
    training.add_argument("--carrier", metavar="WORDS", help="of ESD: what stays when the concept is taken from it")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Erase here and now, and say which edits came of it; the workspace is ours meanwhile.

    Of several, one that cannot be erased is named and left out; 1 is given then. Raises BadInput where none can.
    """
    from studio.services.studio import Studio

    lines = _lines(args)
    with Studio(settings_of(args), backend="inline") as studio:
        good, refused = _sorted_out(studio, args, lines) if len(lines) > 1 else ([lines[0].concept], [])
        plans = [_plan(args, [concept]) for concept in good] if args.separate else [_plan(args, good)]
        minutes = limit_s(args.minutes)
        answers: list[Answer] = []
        for place, plan in enumerate(plans, start=1):
            if len(plans) > 1:
                remark(f"{place} of {len(plans)}: {plan['concepts'][0]['words']}")
            start = partial(studio.erasures.start, plan, minutes)
            answers.append(make(studio, start, str(plan["name"]), goes_on=args.method != "uce"))
    answer: Answer = {"edits": answers} if args.separate else answers[0]
    if len(lines) > 1:
        answer["refused"] = refused
    give(args, answer, "\n".join(map(text_of, answers)))
    return 1 if refused else 0


def _lines(args: argparse.Namespace) -> list[Line]:
    """What is to be erased. Raises BadInput where nothing is named, and for what is said of one of several."""
    from studio.training.erase.lines import read_file, read_line

    if bool(args.concept) == (args.file is not None):
        raise BadInput("Name what to erase, or a --file of it, one of the two.", field="concept")
    lines = read_file(args.file) if args.file else [read_line(k, text) for k, text in enumerate(args.concept, start=1)]
    shared: Answer = {"substitute": args.substitute, "kind": args.kind, "synonyms": args.synonym}
    if len(lines) > 1 and (args.kind or args.synonym):
        raise BadInput(
            "--synonym and --kind say what one concept is, and several are named.",
            "Say them in the columns of a --file: words, substitute, kind, synonyms.",
            field="concept",
        )
    if len(lines) == 1 and lines[0].problem:
        raise BadInput(lines[0].problem, field="concept")
    return [
        replace(line, concept={**shared, **{name: value for name, value in line.concept.items() if value}})
        for line in lines
    ]


def _sorted_out(studio: Studio, args: argparse.Namespace, lines: list[Line]) -> tuple[list[Answer], list[Answer]]:
    """The concepts that can be erased, and {"line", "text", "error"} of the others. Raises BadInput where none can."""
    legible = [line for line in lines if not line.problem]
    sentences = studio.erasures.refusals(_plan(args, [line.concept for line in legible]), args.separate)
    lines = [line for line in lines if line.problem] + [
        replace(line, problem=sentence) for line, sentence in zip(legible, sentences, strict=True)
    ]
    good = [line.concept for line in lines if not line.problem]
    refused: list[Answer] = [
        {"line": line.number, "text": line.text, "error": line.problem}
        for line in sorted(lines, key=lambda line: line.number)
        if line.problem
    ]
    problems = [f"Line {line['line']}, {line['text'][:60]!r}: {line['error']}" for line in refused]
    if not good:
        raise BadInput(f"None of {len(refused)} concepts can be erased. {problems[0]}", field="concept")
    for sentence in problems:
        remark(sentence)
    return good, refused


def _plan(args: argparse.Namespace, concepts: list[Answer]) -> Answer:
    words = "-".join(str(concept["words"]) for concept in concepts)
    name = f"no-{words}"[:80].rstrip("- ")
    if args.name:
        name = f"{args.name}: {words}"[:80] if args.separate else args.name
    plan: Answer = {
        "name": name,
        "model": args.model,
        "concepts": concepts,
        "preserves": args.preserve,
        "untouched": args.untouched,
        "sliders": args.sliders,
        "method": args.method,
        "training": said(args, (*OPTIONS, *NUMBERS), (*CHOICES, *WORDS)),
    }
    numbers = {"protect": args.protect, "completeness": args.completeness, "seed": args.seed}
    return plan | {name: number(value) for name, value in numbers.items() if value is not None}
