"""The actions of `label campaign` that make campaigns and draw them: make, from-pictures, more, draw."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give, remark
from studio.cli.evaluate import stack_of
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.services.labels.design import CampaignDesign
    from studio.services.labels.incoming import Collection
    from studio.services.labels.plan import CampaignPlan
    from studio.services.studio import Studio

MODES = ("pair", "best", "best_worst", "ranking", "thumb")
QUESTIONS = ("overall", "prompt", "look")
NAMED = 20  # files that were not taken, in the text


def add_making(campaign: Any) -> None:
    """Add the actions to the subparsers of `label campaign`."""
    make = add_verb(campaign, "make", run_make, "make a campaign of pictures drawn here, and draw them")
    make.add_argument("name", nargs="?", default="", help="what it is called (“30 pairs of stencil”)")
    make.add_argument("--count", default="30", help="pairs, lists or pictures (30)")
    make.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="a prompt; may be repeated")
    make.add_argument("--prompts", type=Path, metavar="FILE", help="a file of prompts: .txt, .json, .jsonl, .csv, .tsv")
    make.add_argument(
        "--background",
        default="0.5",
        metavar="SHARE",
        help="without prompts: of the open ones, those that say one (0.5)",
    )
    make.add_argument(
        "--hidden",
        default="0",
        metavar="SHARE",
        help="of the items, those drawn with words their prompt does not say (0)",
    )
    make.add_argument(
        "--hidden-words",
        action="append",
        default=[],
        metavar="WORDS",
        help="between commas; each --hidden-words is a group",
    )
    make.add_argument("--model", action="append", default=[], help="a model to compare (stencil); may be repeated")
    make.add_argument("--preset", action="append", default=[], help="a guidance preset to compare; may be repeated")
    make.add_argument(
        "--edits",
        action="append",
        default=[],
        metavar="STACK",
        help="a stack of edits to compare, as for evaluate; “” is none",
    )
    make.add_argument("--steps", help="sampling steps (12 for Stencil, 20 for others)")
    make.add_argument("--other-seeds", action="store_true", help="compare recipes at different seeds, not at one")
    make.add_argument("--seed", help="of all that is drawn at random")
    make.add_argument("--no-draw", action="store_true", help="make it, and leave the drawing to a studio or to `draw`")
    _add_asking(make)
    brought = add_verb(
        campaign, "from-pictures", run_from_pictures, "make a campaign of picture files, with the prompts they carry"
    )
    brought.add_argument("path", type=Path, nargs="+", help="folders, or PNG, JPEG and WebP files of any program")
    brought.add_argument("--name", default="", help="what it is called (“pictures from elsewhere”)")
    _add_asking(brought)
    more = add_verb(campaign, "more", run_more, "plan and draw further items of a campaign")
    more.add_argument("campaign", help="its name or number")
    more.add_argument("count", help="how many")
    draw = add_verb(campaign, "draw", run_draw, "draw what is missing of a campaign")
    draw.add_argument("campaign", help="its name or number")
    for parser in (make, brought, more, draw):
        add_settings(parser)


def _add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", default="pair", help=f"how items are asked: {', '.join(MODES)} (pair)")
    parser.add_argument(
        "--question", action="append", default=[], help=f"{', '.join(QUESTIONS)} (overall); may be repeated"
    )
    parser.add_argument("--guideline", default="", metavar="TEXT", help="what to go by")
    parser.add_argument("--people", default="1", help="answers an item needs, by different people (1)")
    parser.add_argument("--overlap", default="0.1", metavar="SHARE", help="of the items, asked of everybody (0.1)")
    parser.add_argument("--no-checks", action="store_true", help="without attention checks")
    parser.add_argument(
        "--reveal", default="never", help="tell what each picture was: never, after (each answer) or end (never)"
    )
    parser.add_argument("--no-repeats", action="store_true", help="without asking some again, sides swapped")


def run_make(args: argparse.Namespace) -> int:
    """Make a campaign, draw it unless told otherwise, and print how it stands."""
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        design = _design(args, studio)
        models = ", ".join(dict.fromkeys(arm.recipe.model for arm in design.arms))
        noun = f"{design.count} {'pairs' if args.mode == 'pair' else 'items'} of {models}"
        plan = _plan(args, args.name or _free(studio, noun), "planned")
        outlook = studio.campaigns.outlook(plan.mode, design)
        campaign = studio.campaigns.make(plan, design, draws=not args.no_draw)
        remark(f"{campaign.name}: {outlook.items} items, {outlook.pictures} pictures of {outlook.prompts} prompts.")
        _finish(studio, campaign.id)
        answer = studio.campaigns.facts(campaign)
    give(args, answer, _line(answer))
    return 0


def run_from_pictures(args: argparse.Namespace) -> int:
    """Make a campaign of files, and print what came of them."""
    from studio.services.labels.incoming import collect
    from studio.services.studio import Studio

    collection = collect(_files(args.path))
    with Studio(settings_of(args), backend="inline") as studio:
        plan = _plan(args, args.name or _free(studio, "pictures from elsewhere"), "brought")
        outcome = studio.picture_campaigns.from_files(plan, collection)
        answer = {
            **studio.campaigns.facts(outcome.campaign),
            "in_items": outcome.pictures,
            "alone": outcome.alone,
            "duplicates": [[copy.source, first.source] for copy, first in collection.duplicates],
            "refused": [[refused.source, refused.reason] for refused in collection.refused],
        }
    give(args, answer, "\n".join([_line(answer), *_told(collection), *_alone(outcome.alone)]))
    return 0


def run_more(args: argparse.Namespace) -> int:
    """Enlarge a campaign, and print how it stands."""
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        campaign = studio.labels.find(args.campaign)
        studio.campaigns.more(campaign.id, number(args.count))
        _finish(studio, campaign.id)
        answer = studio.campaigns.facts(campaign)
    give(args, answer, _line(answer))
    return 0


def run_draw(args: argparse.Namespace) -> int:
    """Draw what is missing, and print how the campaign stands. Interrupted, what is drawn is kept."""
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        campaign = studio.labels.find(args.campaign)
        if studio.campaigns.standing(campaign.id).counts.missing:
            studio.campaigns.resume(campaign.id)
            _finish(studio, campaign.id)
        answer = studio.campaigns.facts(campaign)
    give(args, answer, _line(answer))
    return 0


# -- inside -----------------------------------------------------------------------------------------------------------


def _design(args: argparse.Namespace, studio: Studio) -> CampaignDesign:
    from studio.preference.prompt_list import read_prompts, typed
    from studio.services.labels.design import CampaignDesign, Choices, arms_of
    from studio.services.presets import GuidancePresets

    prompts = [*(read_prompts(args.prompts) if args.prompts else ()), *(p for t in args.prompt for p in typed(t))]
    steps = None if args.steps is None else number(args.steps)
    if steps is not None and type(steps) is not int:
        raise BadInput(f"The --steps are a whole number, not {str(args.steps)[:40]!r}.", field="steps")
    choices = Choices(
        models=tuple(args.model),
        presets=tuple(args.preset),
        stacks=tuple(_stack(text) for text in args.edits),
        steps=steps,
    )
    groups = [[word.strip() for word in words.split(",") if word.strip()] for words in args.hidden_words]
    arms = arms_of(choices, studio.sources, GuidancePresets(studio.settings.workspace))
    return CampaignDesign.load(
        {
            "count": number(args.count),
            "prompts": list(dict.fromkeys(prompts)),
            "background": number(args.background),
            "hidden_share": number(args.hidden),
            "hidden_words": groups,
            "same_seed": not args.other_seeds,
            "seed": None if args.seed is None else number(args.seed),
            "arms": [{"name": arm.name, "recipe": arm.recipe.model_dump(mode="json")} for arm in arms],
            **({"checks": 0.0} if args.no_checks else {}),
        }
    )


def _stack(text: str) -> tuple[Any, ...]:
    from studio.core.params import load
    from studio.core.recipe import EditRef

    return tuple(load(EditRef, values, "edit") for values in (stack_of(text) if text.strip() else ()))


def _plan(args: argparse.Namespace, name: str, source: str) -> CampaignPlan:
    from studio.services.labels.plan import CampaignPlan

    return CampaignPlan.load(
        {
            "name": name,
            "source": source,
            "mode": args.mode,
            "questions": args.question or ["overall"],
            "guideline": args.guideline,
            "target_per_item": number(args.people),
            "overlap_share": number(args.overlap),
            "check_share": 0.0 if args.no_checks or source == "brought" else 0.05,
            "repeat_share": 0.0 if args.no_repeats else 0.05,
            "reveal": args.reveal,
        }
    )


def _free(studio: Studio, noun: str) -> str:
    names = {campaign.name for campaign in studio.labels.campaigns(archived=True)}
    return next(name for k in range(1, len(names) + 2) if (name := noun if k == 1 else f"{noun}, {k}") not in names)


def _files(paths: list[Path]) -> list[Path]:
    from studio.services.labels.incoming import checked_count, files_in

    return checked_count([file for path in paths for file in (files_in(path) if path.is_dir() else [path])])


def _finish(studio: Studio, campaign: int) -> None:
    """Follow the drawing to its end; what came out alike is drawn once more by further jobs."""
    while jobs := studio.campaigns.standing(campaign).jobs:
        finish(studio, jobs[0])


def _line(values: Answer) -> str:
    parts = [f"{values['items']} items ready"]
    if values["checks"]:
        parts.append(f"{values['checks']} attention checks")
    if values["missing"]:
        parts.append(f"{values['missing']} of {values['pictures']} pictures not drawn")
    if values["alike"]:
        parts.append(f"{values['alike']} left out as nearly equal")
    if values["foreign_share"]:
        parts.append(f"{values['foreign_share']:.0%} of the pictures from elsewhere")
    return f"{values['id']:>4}  {values['name']}  ({values['mode']})  {', '.join(parts)}"


def _told(collection: Collection) -> list[str]:
    lines = [
        f"      left out: {copy.source} is nearly equal to {first.source}" for copy, first in collection.duplicates
    ]
    lines += [f"      not taken: {json.dumps(refused.source)}. {refused.reason}" for refused in collection.refused]
    return [*lines[:NAMED], *([f"      and {len(lines) - NAMED} more"] if len(lines) > NAMED else [])]


def _alone(count: int) -> list[str]:
    return [f"      {count} without another of the same prompt and size"] if count else []
