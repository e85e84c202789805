"""From what was planned, drawn and answered of a tuning to what is known: nothing else is kept of one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.preference.label import Label
from studio.preference.tuning.posterior import Posterior, fit, learn
from studio.preference.tuning.questions import Box, next_question, random_question
from studio.preference.tuning.standing import TuningStanding, stand
from studio.preference.tuning.votes import Point, Vote, vote_of
from studio.services.tunings.plan import TuningPlan
from studio.services.tunings.sliders import point_of
from studio.storage.planned.records import PlannedRecord

AT_RANDOM = 2  # questions for each slider
_ROUNDING = 1  # of 255: what does nothing is computed in another order, and nobody sees so little


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known of a tuning.

    live: places of the sliders that change pictures, as far as is known.
    idle: of those that do not: the pictures at all their values were equal.
    votes: about the live ones, in the order they came.
    pending: questions without an answer, at the live sliders.
    questions: how many were planned, those about idle sliders among them.
    posterior: after the votes alone.
    standing: likewise; None where no slider is live.
    """

    live: tuple[int, ...]
    idle: tuple[int, ...]
    votes: tuple[Vote, ...]
    pending: tuple[tuple[Point, ...], ...]
    questions: int
    posterior: Posterior
    standing: TuningStanding | None


def read(
    plan: TuningPlan, labels: Iterable[Label], records: Sequence[PlannedRecord], file_of: Callable[[str], Path | None]
) -> Reading:
    """Read a tuning.

    labels: that stand. records: what was planned. file_of: where a picture is, by its sha256; None where it is gone.
    """
    idle = idle_sliders(plan, records, file_of)
    live = tuple(place for place in range(len(plan.sliders)) if place not in idle)
    counted = [label for label in labels if _counts(label)]
    # Each question has a seed of its own, which its pictures keep whatever becomes of them in the history.
    answered = {picture.recipe.seed for label in counted for picture in label.pictures if picture.recipe is not None}
    votes = [vote for label in counted if live and (vote := _vote(plan, live, label)) is not None]
    pending = [
        points
        for record in records
        if record.recipes[0].seed not in answered and record.number not in idle
        if (points := _points(plan, live, record.recipes)) is not None
    ]
    posterior = learn(votes, dims=max(1, len(live)))
    start = tuple(plan.start[place] for place in live)
    standing = stand(posterior, _box(plan, live), start, len(votes), plan.seed) if live else None
    return Reading(live, idle, tuple(votes), tuple(pending), len(records), posterior, standing)


def question(plan: TuningPlan, reading: Reading) -> tuple[Point, ...]:
    """The settings of the next question, on all sliders: one about each slider alone, some at random, then what teaches
    most.

    reading: with at least one live slider.
    """
    number = reading.questions
    if number < len(plan.sliders):
        return plan.probe(number)
    box, rng = _box(plan, reading.live), plan.rng(number)
    if number < (1 + AT_RANDOM) * len(plan.sliders):
        points = random_question(box, plan.size, rng)
    else:
        posterior = fit(reading.votes, reading.posterior.prior, reading.pending, len(reading.live))
        start = tuple(plan.start[place] for place in reading.live)
        points = next_question(posterior, box, start, plan.size, rng)
    return tuple(whole(plan, reading.live, point) for point in points)


def whole(plan: TuningPlan, live: Sequence[int], point: Point) -> Point:
    """A point of the live sliders among all: the others stay where they start."""
    values = list(plan.start)
    for place, value in zip(live, point, strict=True):
        values[place] = value
    return tuple(values)


def with_question(plan: TuningPlan, reading: Reading, points: Sequence[Point]) -> Reading:
    """The reading once a further question is planned."""
    asked = tuple(tuple(point[place] for place in reading.live) for point in points)
    return replace(reading, pending=(*reading.pending, asked), questions=reading.questions + 1)


def idle_sliders(
    plan: TuningPlan, records: Sequence[PlannedRecord], file_of: Callable[[str], Path | None]
) -> tuple[int, ...]:
    """Places of the sliders whose question of their own has pictures that are equal, to rounding, in every pixel."""
    probes = [record for record in records if record.number < len(plan.sliders) and all(record.images)]
    return tuple(record.number for record in probes if _are_equal(tuple(map(file_of, record.images))))


@functools.lru_cache(maxsize=256)  # a file's name is that of its content
def _are_equal(files: tuple[Path | None, ...]) -> bool:
    first = None
    for file in files:
        try:
            if file is None:
                return False
            with Image.open(file, formats=["PNG"]) as opened:
                pixels = np.asarray(opened.convert("RGB"), dtype=np.int16)
        except OSError:  # of a picture that is gone nothing is known
            return False
        first = pixels if first is None else first
        if pixels.shape != first.shape or int(np.abs(pixels - first).max()) > _ROUNDING:
            return False
    return True


def _counts(label: Label) -> bool:
    return label.purpose == "eval" and label.is_blind and not label.is_withdrawn


def _vote(plan: TuningPlan, live: Sequence[int], label: Label) -> Vote | None:
    recipes = [picture.recipe for picture in label.pictures if picture.recipe is not None]
    points = _points(plan, live, recipes) if len(recipes) == len(label.pictures) else None
    return None if points is None else vote_of(points, label.answer, label.order, label.annotator, label.weight)


def _points(plan: TuningPlan, live: Sequence[int], recipes: Sequence[Recipe]) -> tuple[Point, ...] | None:
    """Where the pictures of a question stand on the live sliders; None where that is one place, or cannot be told."""
    try:
        points = [point_of(recipe, plan.sliders) for recipe in recipes]
    except BadInput:
        return None
    shares = tuple(tuple(point[place] for place in live) for point in points)
    return shares if len(set(shares)) > 1 else None


def _box(plan: TuningPlan, live: Sequence[int]) -> Box:
    return Box(tuple(plan.sliders[place].levels for place in live))
