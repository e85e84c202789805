"""From the plan of an alignment and its rows to the plan of its training (studio.training.lora). No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.training.align.objective import Objective
from studio.training.align.plan import MAX_PREFERENCE_ROWS, AlignPlan
from studio.training.align.rows import WINNER, Row

LEAST_ROWS = 4
WARMUP, DECAY, BETA2 = 0.05, 0.1, 0.99  # as the trial on Stencil found them
LOOKS = 10  # at what is held out, over a training
MOST_HELD_OUT = 24
MOST_DRAWS = 16
LEAST_TRIED = 48  # noises and times of a look in all, the same at every look: a row has as many as that takes
LEAST_TO_STOP = 8  # held-out rows: with fewer, a rise of some per cent is chance
FIRST_SEED = 780_000  # of pictures that are looked at: none of a card, or of an erasure's looks
BASE_STEPS = 8  # of such a picture in the world: as good as twelve to see a style by
SEEDS, PICTURES, PICTURES_ELSEWHERE = 3, 24, 8  # of a prompt; of a look in the world, and of other models
PICTURE_LOOKS = 5  # at pictures, over a training
STRENGTHS = (0.5, 0.7, 1.4)  # tried in the end, of what is preferred most: weaker, or stronger where it may be
AUTO = "auto"  # in the place of beta


@dataclass(frozen=True)
class Surroundings:
    """What a model and a workspace have to judge pictures by.

    in_world: whether the model is a small one of Stencil's world.
    features: what a taste is learned on, by name; "" where nothing is drawn.
    sampler: of its pictures.
    """

    in_world: bool
    features: str = ""
    sampler: str = "dpmpp_2m"


def training_plan(
    plan: AlignPlan,
    objective: Objective,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    around: Surroundings,
    prompts: Sequence[str] = (),
    **origin: Any,
) -> dict[str, Any]:
    """Plain values of a studio.training.lora.plan.Plan.

    rows: to learn from. held_out: of other prompts, which it is only tried on.
    prompts: held-out ones, of which pictures are drawn on the way.
    origin: what the edit says of its labels.
    Raises BadInput for too few rows to learn from, or a beta to be found of an objective that has none.
    """
    if len(rows) < LEAST_ROWS:
        raise BadInput(
            f"{objective.name} learns from {objective.takes}, and there are {len(rows)} of them.",
            f"Answer at least {LEAST_ROWS}, or take an objective for the labels there are.",
            field="snapshot",
        )
    pace = objective.in_world if around.in_world else objective.elsewhere
    steps = plan.steps or pace.steps
    tried_rows = list(held_out)[:MOST_HELD_OUT]
    everything = [*list(rows)[:MAX_PREFERENCE_ROWS], *tried_rows]
    states = [state for state in everything[0].pictures if state != WINNER]
    names = sorted({name for row in everything for name in row.numbers})
    return {
        "name": plan.name,
        "model": plan.model,
        "loss": objective.loss,
        "loss_params": {**pace.params, **_of_lists(objective, everything), **_said(plan)},
        "prompts": [row.prompts for row in everything],
        "numbers": {name: [row.numbers.get(name, 0.0) for row in everything] for name in names},
        "pictures": {
            "images": [[row.pictures[WINNER]] for row in everything],
            "partners": {state: [[row.pictures[state]] for row in everything] for state in states},
            "first": pace.first if plan.first is None else plan.first,
        },
        **_tried(plan, len(tried_rows), steps),
        **_judged(plan, prompts, steps, around),
        **_auto(plan, objective),
        **_retention(plan, everything),
        "layers": plan.layers,
        "rank": plan.rank,
        "alpha": float(plan.rank),
        "steps": steps,
        "batch": plan.batch,
        "lr": plan.lr or pace.lr,
        "schedule": {"warmup": WARMUP, "decay": DECAY, "beta2": BETA2},
        "ema": plan.ema,
        "caption_dropout": plan.caption_dropout,
        "seed": plan.seed,
        "provenance": {"method": plan.method, "alignment": plan.model_dump(mode="json"), **origin},
    }


def _of_lists(objective: Objective, rows: Sequence[Row]) -> dict[str, Any]:
    return {"count": len(rows[0].pictures)} if objective.takes == "lists" else {}


def _tried(plan: AlignPlan, count: int, steps: int) -> dict[str, Any]:
    if not count:
        return {}
    draws = min(MOST_DRAWS, math.ceil(LEAST_TRIED / count))
    tried: dict[str, Any] = {"rows": count, "every": math.ceil(steps / LOOKS), "draws": draws}
    stops = plan.stop_rise is not None and count >= LEAST_TO_STOP
    return {"held_out": tried | ({"stop_rise": plan.stop_rise} if stops else {})}


def _judged(plan: AlignPlan, prompts: Sequence[str], steps: int, around: Surroundings) -> dict[str, Any]:
    """Prompts as far as the pictures of a look go, each at several seeds."""
    usual = PICTURES if around.in_world else PICTURES_ELSEWHERE
    pictures = usual if plan.pictures is None else plan.pictures
    chosen = list(dict.fromkeys(prompts))[: math.ceil(pictures / SEEDS)]
    if not chosen or not around.features:
        return {}
    protocol = {"steps": BASE_STEPS} if around.in_world else {"sampler": around.sampler}
    return {
        "judged": {
            "prompts": chosen,
            "seeds": min(SEEDS, max(1, pictures // len(chosen))),
            "first_seed": FIRST_SEED,
            "every": math.ceil(steps / PICTURE_LOOKS),
            "protocol": protocol,
            "features": around.features,
            "in_world": around.in_world,
            "strengths": STRENGTHS,
        }
    }


def _said(plan: AlignPlan) -> dict[str, Any]:
    """Parameters of the loss that are said, and not found."""
    return {name: value for name, value in plan.params.items() if not (name == "beta" and value == AUTO)}


def _auto(plan: AlignPlan, objective: Objective) -> dict[str, Any]:
    if plan.params.get("beta") != AUTO:
        return {}
    if not objective.auto_beta:
        raise BadInput(
            f"{objective.name} is not held against the base by its beta, so that nothing says what it should be.",
            "Give it as a number, or leave it out.",
            field="params",
        )
    if plan.params.get("form") == "ipo":
        raise BadInput("With the form ipo beta has no effect.", "Set tau.", field="params")
    return {"auto": {"param": "beta", "scale": objective.auto_beta}}


def _retention(plan: AlignPlan, rows: Sequence[Row]) -> dict[str, Any]:
    """The base's predictions without a prompt; what labels are about is to change."""
    if not plan.protect:
        return {}
    return {"retention": {"prompts": [""], "how": plan.retention, "weight": plan.protect, "bank": {"ways": 8}}}
