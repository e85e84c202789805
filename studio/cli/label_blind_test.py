"""The verb `label blind-test`: an edit against the model without it, by people who do not know which is which."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli.answer import give
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput


def add_blind_test(actions: Any) -> None:
    """Add the verb to the actions of `label`."""
    parser = add_verb(
        actions, "blind-test", run, "test an edit blind against the model without it, or tell how its test stands"
    )
    parser.add_argument("edit", help="by its name or id")
    parser.add_argument("--new", action="store_true", help="make another test where there is one")
    parser.add_argument("--pairs", default="30", metavar="N", help="how many (30)")
    parser.add_argument("--strength", default="1", help="of the edit (1)")
    parser.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="what is drawn; repeat")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="a prompt per line")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print how the newest test of an edit stands; without one, make it, and draw its pictures."""
    from studio.services.labels.blind_tests import plain
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        edit = studio.edits.show(args.edit)
        tests = [] if args.new else studio.blind_tests.of_edit(edit.id)
        is_new = not tests
        if tests:
            test = tests[0]
        else:
            test = studio.blind_tests.start(
                edit.id, pairs=_whole(args.pairs), strength=_real(args.strength), prompts=_prompts(args)
            )
            for job in studio.jobs.unfinished():
                studio.jobs.wait(job.id)
    values = plain(test)
    counts = f"{values['wins']} to {values['losses']}, {values['ties']} ties. {values['verdict']}"
    if values["win_rate"] is not None:
        counts = f"{values['win_rate']:.0%} won ({values['low']:.0%} to {values['high']:.0%}), {counts}"
    text = f"{values['campaign']}: {'answer it on the Label tab.' if is_new else counts}"
    give(args, {**values, "new": is_new}, text)
    return 0


def _prompts(args: argparse.Namespace) -> list[str]:
    if args.prompts is None:
        return args.prompt
    try:
        lines = args.prompts.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"The file {args.prompts.name} cannot be read as text.", field="prompts") from None
    return [*args.prompt, *(line.strip() for line in lines if line.strip())]


def _whole(text: str) -> int:
    value = number(text)
    if not isinstance(value, int | float) or value != int(value):
        raise BadInput(f"A number of pairs is whole, unlike {text[:40]}.", field="pairs")
    return int(value)


def _real(text: str) -> float:
    value = number(text)
    if isinstance(value, str):
        raise BadInput(f"A strength is a number, unlike {text[:40]}.", field="strength")
    return float(value)
