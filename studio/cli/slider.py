"""The verb `slider`: an edit of which positive strengths give more of something and negative ones less."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give, remark
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.cli.trained import add_training, limit_s, make, said, text_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.services.studio import Studio

NUMBERS = ("gamma", "reach", "alpha", "protect", "seed")


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "slider", run, "make a slider: more of something at +, less at -")
    parser.add_argument("target", nargs="?", default="", help="prompts it is for (all)")
    parser.add_argument("--more", metavar="TEXT", help="the prompt at its upper end")
    parser.add_argument("--less", metavar="TEXT", default="", help="the prompt at its lower end (none)")
    parser.add_argument("--neutral", metavar="TEXT", help="the prompt in its middle (the target)")
    parser.add_argument("--keep", action="append", default=[], metavar="WORDS", help="what is not to change; repeat")
    parser.add_argument("--before", nargs="+", default=[], metavar="PICTURE", help="pictures of its lower end")
    parser.add_argument(
        "--after", nargs="+", default=[], metavar="PICTURE", help="their partners: numbers of the history, or its files"
    )
    parser.add_argument("--caption", default="", metavar="TEXT", help="the prompt pictures are learned under (none)")
    parser.add_argument(
        "--prompts-file", type=Path, metavar="FILE", help="of LECO, sliders, sd-scripts or ai-toolkit: YAML or TOML"
    )
    parser.add_argument("--one-way", action="store_true", help="teach positive strengths alone")
    parser.add_argument("--gamma", help="how many times the difference of both ends is added (4)")
    parser.add_argument("--reach", help="the strength at which all of it is there (1)")
    parser.add_argument("--alpha", help="of the factors, whose change is scaled by alpha / rank (the rank)")
    parser.add_argument("--preserve", action="append", default=[], metavar="TEXT", help="a text that stays; repeat")
    parser.add_argument("--protect", help="how much what is preserved weighs (1)")
    parser.add_argument("--name", help="of the edit (more-or-less-TEXT)")
    parser.add_argument("--model", default="stencil", help="of which model (stencil)")
    parser.add_argument("--seed", help="of all that is drawn (0)")
    add_training(parser, "training")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Train it here and now, and say which edit came of it; the workspace is ours meanwhile."""
    ways = {"prompts": args.more, "pictures": args.before or args.after, "a file": args.prompts_file}
    if sum(bool(value) for value in ways.values()) != 1:
        raise BadInput(
            "A slider is made from --more and --less, from --before and --after, or from a --prompts-file.",
            "Give one of the three.",
            field="more",
        )
    from studio.services.studio import Studio

    plan = _plan(args)
    with Studio(settings_of(args), backend="inline") as studio:
        plan |= {
            "negative_images": _pictures(studio, args.before),
            "positive_images": _pictures(studio, args.after),
        }
        minutes = limit_s(args.minutes)
        answer = make(studio, lambda: studio.sliders.start(plan, minutes), str(plan["name"]), goes_on=True)
    give(args, answer, text_of(answer))
    return 0


def _plan(args: argparse.Namespace) -> Answer:
    """All but the pictures. What is said on the command line counts before what a file says."""
    plan: Answer = {"name": _name(args), "model": args.model, "keep": args.keep, "caption": args.caption}
    if args.more:
        pair = {"target": args.target, "positive": args.more, "negative": args.less}
        plan["pairs"] = [pair if args.neutral is None else {**pair, "neutral": args.neutral}]
    training: Answer = {}
    if args.prompts_file:
        from studio.training.erase.prompt_files import read_prompt_file

        file = read_prompt_file(args.prompts_file)
        training = dict(file.values.get("training", {}))
        plan = {**plan, **file.values}
        if file.unused:
            remark(f"Without effect here: {', '.join(file.unused)}.")
    if args.name:
        plan["name"] = args.name
    if args.one_way:
        plan["both_ways"] = False
    if args.preserve:
        plan["preserves"] = args.preserve
    return {**plan, **said(args, NUMBERS, ()), "training": {**training, **said(args)}}


def _name(args: argparse.Namespace) -> str:
    about = args.more or (args.prompts_file.stem if args.prompts_file else "pictures")
    return f"more-or-less-{about}"[:80]


def _pictures(studio: Studio, picture_names: Sequence[str]) -> list[str]:
    """sha256 of each, by its number in the history or by its file. Raises NotFound, BadInput."""
    images: list[str] = []
    for name in picture_names:
        value = number(name)
        if isinstance(value, int):
            images.append(studio.history.get(value).sha256)
            continue
        try:
            images.append(hashlib.sha256(Path(name).read_bytes()).hexdigest())
        except OSError as error:
            raise BadInput(f"The picture {name[:200]} cannot be read: {error.strerror}.", field="before") from None
    return images
