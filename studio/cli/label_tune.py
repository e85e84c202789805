"""The verbs `label tune start | status | simulate | accept`: strengths of edits and parameters of guidance by votes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import give, remark
from studio.cli.evaluate import stack_of
from studio.cli.following import finish
from studio.cli.grammar import add_actions, add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput
from studio.core.params import shown

if TYPE_CHECKING:
    from studio.core.recipe import Recipe
    from studio.services.studio import Studio
    from studio.services.tunings.sliders import Slider
    from studio.services.tunings.tuning import Tuning


def add_tune(actions: Any) -> None:
    """Add the verb to the actions of `label`."""
    tune = add_actions(actions, "tune", "strengths of edits and parameters of guidance, found by votes alone")
    start = add_verb(tune, "start", run_start, "start a tuning, and draw its first questions")
    start.add_argument("name", nargs="?", default="", help="what it is called (after what is tuned)")
    start.add_argument(
        "--slider",
        action="append",
        default=[],
        metavar="NAME[=LOW:HIGH[:STEP]]",
        help="what is tuned: guidance_scale, edits.0.strength, a parameter of the method; 1 to 6. Without: listed",
    )
    start.add_argument("--model", default="stencil", help="what draws (stencil)")
    start.add_argument("--preset", help="guidance preset to start from (what suits the model)")
    start.add_argument("--edits", default="", metavar="STACK", help="stack of edits to start from, as for evaluate")
    start.add_argument("--steps", help="sampling steps (12 for Stencil, 20 for others)")
    start.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="what is drawn; may be repeated")
    start.add_argument("--prompts", type=Path, metavar="FILE", help="a file of prompts")
    start.add_argument("--form", default="pair", help="what a question is: pair, best (of four) (pair)")
    start.add_argument("--most", default="60", help="questions at most (60)")
    start.add_argument("--seed", help="of the questions and their pictures")
    start.add_argument("--no-draw", action="store_true", help="leave the drawing to a studio")
    status = add_verb(tune, "status", run_status, "say how a tuning stands; without a name, all of them")
    status.add_argument("tuning", nargs="?", help="its name or number")
    simulate = add_verb(tune, "simulate", run_simulate, "let a simulated person of known taste answer, to try it out")
    simulate.add_argument("tuning", help="its name or number")
    simulate.add_argument(
        "--best", action="append", default=[], metavar="NAME=VALUE", help="what they like best, of a slider"
    )
    simulate.add_argument("--clarity", default="4", help="how sure they are, in logits over half a range (4)")
    simulate.add_argument("--votes", default="60", help="answers at most (60)")
    simulate.add_argument("--seed", default="0", help="of their noise (0)")
    accept = add_verb(tune, "accept", run_accept, "save what is preferred as a guidance preset, and print the stack")
    accept.add_argument("tuning", help="its name or number")
    accept.add_argument("--preset", default="", metavar="NAME", help="of the preset (that of the tuning)")
    for parser in (start, status, simulate, accept):
        add_settings(parser)


def run_start(args: argparse.Namespace) -> int:
    """Start a tuning, draw what it asks first, and print how it stands."""
    from studio.preference.prompt_list import read_prompts, typed
    from studio.services.studio import Studio
    from studio.services.tunings.values import plain, text

    prompts = [*(read_prompts(args.prompts) if args.prompts else ()), *(p for t in args.prompt for p in typed(t))]
    with Studio(settings_of(args), backend="inline") as studio:
        recipe = _recipe(args, studio)
        tuning = studio.tunings.start(
            recipe,
            [_slider(words, recipe, studio) for words in args.slider],
            name=args.name,
            prompts=prompts,
            form=args.form,
            most=number(args.most),
            seed=None if args.seed is None else number(args.seed),
            draws=not args.no_draw,
        )
        tuning = _drawn(studio, tuning)
        if not tuning.reading.live:
            studio.labels.archive(tuning.campaign.id)
            raise BadInput(tuning.verdict, "Tune something else.", field="sliders")
        answer, lines = plain(tuning), text(tuning)
    give(args, answer, lines)
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Print how one tuning stands, or all of them."""
    from studio.services.studio import Studio
    from studio.services.tunings.values import plain, text

    with Studio(settings_of(args), backend="inline") as studio:
        if args.tuning is not None:
            tuning = studio.tunings.find(args.tuning)
            give(args, plain(tuning), text(tuning))
            return 0
        tunings = [studio.tunings.get(campaign.id) for campaign in studio.tunings.list(archived=True)]
        give(args, {"tunings": [*map(plain, tunings)]}, "\n".join(map(text, tunings)) or "There are no tunings yet.")
    return 0


def run_simulate(args: argparse.Namespace) -> int:
    """Have a simulated person answer until nothing more is asked, and print how the tuning stands."""
    import numpy as np

    from studio.services.studio import Studio
    from studio.services.tunings.simulated import answer_next, voter_of
    from studio.services.tunings.values import plain, text

    most, seed = _whole(args.votes, "votes"), _whole(args.seed, "seed")
    with Studio(settings_of(args), backend="inline") as studio:
        tuning = studio.tunings.find(args.tuning)
        voter, rng = voter_of(tuning, _values(args.best), _real(args.clarity, "clarity")), np.random.default_rng(seed)
        for count in range(most):
            if not answer_next(studio.archive, studio.labels, tuning, voter, rng):
                tuning = _drawn(studio, tuning)
                if not answer_next(studio.archive, studio.labels, tuning, voter, rng):
                    break
            remark(f"{count + 1} answered.")
        tuning = studio.tunings.get(tuning.campaign.id)
        answer, lines = plain(tuning), text(tuning)
    give(args, answer, lines)
    return 0


def run_accept(args: argparse.Namespace) -> int:
    """Save the preset, and print it with the stack."""
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio

    with Studio(settings_of(args), backend="inline") as studio:
        tuning = studio.tunings.find(args.tuning)
        accepted = studio.tunings.accept(
            tuning.campaign.id, GuidancePresets(studio.settings.workspace), str(args.preset)
        )
    stack = [ref.model_dump(mode="json") for ref in accepted.stack]
    saved = f"Saved as the guidance preset {accepted.preset}." if accepted.preset else "No guidance was tuned."
    edits = " ".join(f"{ref.edit}={ref.strength:g}" for ref in accepted.stack)
    lines = [saved, *([f"Edits: {edits}"] if edits else []), *([accepted.caveat] if accepted.caveat else [])]
    values = {
        "campaign": tuning.campaign.name,
        "preset": accepted.preset,
        "guidance": accepted.recipe.guidance.model_dump(mode="json"),
        "stack": stack,
        "caveat": accepted.caveat,
    }
    give(args, values, "\n".join(lines))
    return 0


# -- inside -----------------------------------------------------------------------------------------------------------


def _recipe(args: argparse.Namespace, studio: Studio) -> Recipe:
    from studio.core.params import load
    from studio.core.recipe import EditRef
    from studio.services.labels.design import Choices, arms_of
    from studio.services.presets import GuidancePresets

    refs = tuple(load(EditRef, values, "edit") for values in (stack_of(args.edits) if args.edits.strip() else ()))
    choices = Choices(
        models=(args.model,),
        presets=(args.preset,) if args.preset else (),
        stacks=(refs,),
        steps=None if args.steps is None else _whole(args.steps, "steps"),
    )
    (arm,) = arms_of(choices, studio.sources, GuidancePresets(studio.settings.workspace))
    return arm.recipe


def _slider(words: str, recipe: Recipe, studio: Studio) -> Slider:
    """A slider as it is typed. Raises BadInput."""
    from studio.services.tunings.sliders import tunable

    name, equals, ends = words.partition("=")
    known = tunable(recipe, studio.sources, studio.edits)
    slider = next((slider for slider in known if name.strip() in (slider.path, slider.path.rpartition(".")[2])), None)
    if slider is None:
        paths = ", ".join(slider.path for slider in known) or "nothing"
        raise BadInput(f"There is nothing to tune called {shown(name)}.", f"There is {paths}.", field="slider")
    if not equals:
        return slider
    values = [number(part) for part in ends.split(":")]
    if not 2 <= len(values) <= 3 or not all(isinstance(value, int | float) for value in values):
        raise BadInput(f"A range is LOW:HIGH or LOW:HIGH:STEP, not {shown(ends)}.", field="slider")
    return slider.model_copy(update=dict(zip(("low", "high", "step"), map(float, values), strict=False)))


def _drawn(studio: Studio, tuning: Tuning) -> Tuning:
    """The tuning once what it asks next is drawn."""
    campaign = tuning.campaign.id
    while jobs := studio.campaigns.standing(campaign).jobs:
        finish(studio, jobs[0])
    return studio.tunings.get(campaign)


def _values(words: list[str]) -> dict[str, float]:
    return {name: _real(value, "best") for name, _, value in (word.partition("=") for word in words)}


def _real(words: str, name: str) -> float:
    value = number(words)
    if isinstance(value, str):
        raise BadInput(f"Of --{name}, a number was expected, not {shown(words)}.", field=name)
    return float(value)


def _whole(words: str, name: str) -> int:
    value = number(words)
    if type(value) is not int or value < 0:
        raise BadInput(f"--{name} is a whole number from 0 on, not {shown(words)}.", field=name)
    return value
