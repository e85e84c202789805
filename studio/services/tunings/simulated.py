"""A simulated person who answers a tuning's questions: what tunings are tried on, and shown with."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import numpy as np

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.preference.tuning.simulated import SimulatedVoter
from studio.services.labels.service import LabelService
from studio.services.tunings.sliders import point_of
from studio.services.tunings.tuning import Tuning
from studio.storage.archive import Archive

ANNOTATOR = "simulated"


def voter_of(tuning: Tuning, best: Mapping[str, float], clarity: float = 4.0) -> SimulatedVoter:
    """Somebody who likes certain values of the sliders best.

    best: path of a slider, or its last word -> value; of those left out it is where the tuning starts.
    clarity: see SimulatedVoter. Raises BadInput for what is no slider of the tuning, or a value outside of its range.
    """
    point = list(tuning.plan.start)
    for name, value in best.items():
        places = [
            place
            for place, slider in enumerate(tuning.plan.sliders)
            if name in (slider.path, slider.path.rpartition(".")[2])
        ]
        if len(places) != 1:
            paths = ", ".join(slider.path for slider in tuning.plan.sliders)
            raise BadInput(f"The tuning has no slider {shown(name)}.", f"It has {paths}.", field="best")
        slider = tuning.plan.sliders[places[0]]
        if not slider.low <= value <= slider.high:
            message = f"{slider.label} goes from {slider.low:g} to {slider.high:g}, and cannot be best at {value:g}."
            raise BadInput(message, field="best")
        point[places[0]] = slider.share(value)
    return SimulatedVoter(tuple(point), clarity)


def answer_next(
    archive: Archive, labels: LabelService, tuning: Tuning, voter: SimulatedVoter, rng: np.random.Generator
) -> bool:
    """Answer one question as the voter would; False where none is ready. Raises as LabelService.vote."""
    campaign = tuning.campaign.id
    labels.annotator(ANNOTATOR)
    for question in labels.lease(campaign, ANNOTATOR, 1):
        recipe_of: dict[str, Recipe] = {
            image: recipe
            for record in archive.planned.every(campaign)
            for image, recipe in zip(record.images, record.recipes, strict=True)
        }
        images = [labels.picture(question.token, place).stem for place in range(question.count)]
        points = [point_of(recipe_of[image], tuning.plan.sliders) for image in images]
        answer = voter.answer(points, rng, range(question.count))
        labels.vote(f"simulated-{uuid4().hex}", question.token, question.answer_of_item(answer))
        return True
    return False
