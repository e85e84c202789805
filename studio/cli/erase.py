"""The verb `erase`: a concept taken out of a model, as an edit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, follow, give, remark
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.engine.events import Event

METHODS = {"uce": "at once", "ca": "replace", "abo": "careful", "esd": "the field's baseline"}  # torch-free, for --help
OPTIONS = {  # flag -> what it says; each a field of studio.training.erase.plan.TrainingOptions
    "steps": "of a training (the method's own)",
    "lr": "its learning rate (the method's own)",
    "rank": "of its factors (8)",
    "batch": "pictures of a step (4)",
    "way-steps": "steps of the ways it learns at (12)",
    "guidance-scale": "on these ways (1.5)",
    "budget": "drift allowed in nats, for --retention dual (0.02)",
    "eta": "of ESD and of All but One away from it: strength (1)",
    "mu": "of All but One: weight of the drift without a prompt (1)",
}
CHOICES = {
    "source": ("own", "base"),
    "retention": ("distil", "pcgrad", "dual", "none"),
    "layers": ("xattn_kv", "xattn", "noxattn", "attn", "ffn", "conv", "all"),
    "towards": ("substitute", "nothing", "away"),
}


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
        "--method", choices=METHODS, default="uce", help="; ".join(f"{name}: {what}" for name, what in METHODS.items())
    )
    parser.add_argument("--name", help="of the edit (no-CONCEPT)")
    parser.add_argument("--model", default="stencil", help="out of which model (stencil)")
    parser.add_argument("--seed", help="of the texts it is made with (0)")
    parser.add_argument("--minutes", help="refuse a training that would take longer on this machine")
    training = parser.add_argument_group("methods that train")
    for name, what in OPTIONS.items():
        training.add_argument(f"--{name}", metavar="N", help=what)
    for name, choices in CHOICES.items():
        training.add_argument(f"--{name}", choices=choices)
    training.add_argument("--carrier", metavar="WORDS", help="of ESD: what stays when the concept is taken from it")
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
        job_id = studio.erasures.start(_plan(args), _limit_s(args.minutes))
        try:
            finish(studio, job_id, on_event)
        except KeyboardInterrupt:
            if args.method != "uce":
                remark(f"To go on: palimpsest train --resume {studio.jobs.get(job_id).number}")
            raise
    lines = [answer["edit"], *(f"  {name} {value:.3f}" for name, value in answer["measures"].items())]
    give(args, answer, "\n".join(lines))
    return 0


def _limit_s(minutes: str | None) -> float | None:
    """Raise BadInput for what is no time."""
    if minutes is None:
        return None
    value = number(minutes)
    if isinstance(value, str) or not value > 0:
        raise BadInput(f"A time in minutes is a number above 0, not {minutes[:40]!r}.", field="minutes")
    return 60.0 * value


def _plan(args: argparse.Namespace) -> Answer:
    concept = {"words": args.concept, "synonyms": args.synonym, "substitute": args.substitute, "kind": args.kind}
    plan: Answer = {
        "name": args.name or f"no-{args.concept}",
        "model": args.model,
        "concepts": [concept],
        "preserves": args.preserve,
        "untouched": args.untouched,
        "method": args.method,
        "training": _training(args),
    }
    numbers = {"protect": args.protect, "completeness": args.completeness, "seed": args.seed}
    return plan | {name: number(value) for name, value in numbers.items() if value is not None}


def _training(args: argparse.Namespace) -> Answer:
    """What was said of the training, and nothing else: the rest is the method's own."""
    words: Answer = {name: getattr(args, name) for name in (*CHOICES, "carrier")}
    numbers: Answer = {name: getattr(args, name) for name in (option.replace("-", "_") for option in OPTIONS)}
    plain = words | {name: None if value is None else number(value) for name, value in numbers.items()}
    return {name: value for name, value in plain.items() if value is not None}
