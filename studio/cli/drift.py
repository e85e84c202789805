"""The verb `drift`: how far an edit moves a model, in nats, and how far it is from one that never met the concept."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give, line, progress
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of

if TYPE_CHECKING:
    from studio.engine.events import Event


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    help = "how far an edit moves a model, in nats a picture; with --gold, how far it is from never having seen it"
    parser = add_verb(verbs, "drift", run, help)
    parser.add_argument("edit", help="the edit, by name")
    parser.add_argument("--strength", default="1", help="of the edit (1)")
    parser.add_argument("--model", default="", help="what the edit is put on (the model it was made for)")
    parser.add_argument("--concept", default="", metavar="WORDS", help="what it erases (what the edit says itself)")
    parser.add_argument("--gold", default="", metavar="MODEL", help="a model that never met the concept (a sibling)")
    parser.add_argument(
        "--floor", nargs=2, metavar="MODEL", help="two models that differ in their seed alone (siblings)"
    )
    parser.add_argument("--pictures", help="drawn for each set of prompts (64)")
    parser.add_argument("--levels", help="noise levels of each picture (16)")
    parser.add_argument("--steps", help="sampling steps of a picture (20)")
    parser.add_argument("--seed", help="of the first picture (0)")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Measure here and now, and print the rows; interrupted, what is measured is kept, and the next run goes on."""
    from studio.services.studio import Studio

    settings = {name: getattr(args, name) for name in ("pictures", "levels", "steps", "seed")}
    with Studio(settings_of(args), backend="inline") as studio:
        request = studio.drifts.of_edit(
            args.edit,
            strength=number(args.strength),
            model=args.model,
            concept=args.concept,
            gold=args.gold,
            floor=tuple(args.floor) if args.floor else None,
            **{name: number(value) for name, value in settings.items() if value is not None},
        )
        job = studio.drifts.start(request)
        finish(studio, job, _follow)
        answer = studio.drifts.report(studio.jobs.get(job))
    give(args, answer, table(answer))
    return 0


def table(answer: Answer) -> str:
    """The rows as text for a terminal."""
    lines = [f"{answer['edit']}: nats a picture, with 95 % intervals over pictures"]
    lines += [_text(row) for row in (*answer["rows"].values(), *answer["directions"].values())]
    return "\n".join(lines)


def _text(row: dict[str, Any]) -> str:
    if row.get("why"):
        return f"  {row['name']:<32} {row['why']}"
    unit = "x" if row["unit"] == "ratio" else ""
    per_dim = f"  ({row['per_dim']:.2g} a dimension)" if "per_dim" in row else ""
    figures = f"{row['value']:>9.4g}{unit}  [{row['low']:.4g}, {row['high']:.4g}]"
    return f"  {row['name']:<32} {figures}  n = {row['n']} pictures{per_dim}"


def _follow(event: Event) -> None:
    """Progress on one line of a terminal; nothing in a file or pipe."""
    if event.kind == "progress":
        line(f"{100 * event.data['done']:.0f} % measured, {event.data['left_s']:.0f} s left")
    else:
        progress(event.kind, event.data)
