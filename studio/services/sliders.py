"""Concept sliders: checked, queued as trainings; the edit that comes of one is among the workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.core.errors import BadInput
from studio.services.sources import Sources
from studio.services.trainings import TrainingService
from studio.training.erase.slider import SliderPlan, read_slider, slider_training


class SliderService:
    """The sliders of an open studio. Every method may be called from any thread."""

    def __init__(self, sources: Sources, trainings: TrainingService) -> None:
        self._sources = sources
        self._trainings = trainings

    def start(self, plan: Mapping[str, Any], limit_s: float | None = None) -> str:
        """Queue the training of a slider; give the job's id.

        plan: plain values (studio.training.erase.slider.SliderPlan). limit_s: how long it may take in all.
        Raises BadInput, NotFound, AssetError.
        """
        checked = self.check(plan)
        return self._trainings.start(slider_training(checked), limit_s=limit_s, title=f"slider {checked.name}")

    def check(self, plan: Mapping[str, Any]) -> SliderPlan:
        """The plan as it would be run. Raises BadInput, NotFound, AssetError."""
        checked = read_slider(plan)
        in_world = self._sources.is_of_world(checked.model)
        for text in _texts(checked) if in_world else ():
            if unknown := self._sources.prompt_report(text, checked.model, "plain").unknown_words:
                raise BadInput(
                    f"{checked.model} does not know the word {unknown[0]!r}, so it draws nothing by it.",
                    "Say it in words that it knows.",
                    field="pairs",
                )
        for text in _texts(checked):
            if cut := self._sources.prompt_report(text, checked.model, "plain").cut:
                raise BadInput(
                    f"The prompt {text[:60]!r} is too long for {checked.model}, which would not read {cut[:40]!r}.",
                    "Say it shorter.",
                    field="pairs",
                )
        return checked.model_copy(update={"in_world": in_world})


def _texts(plan: SliderPlan) -> tuple[str, ...]:
    pairs = (text for pair in plan.pairs for text in (pair.target, pair.neutral or "", pair.positive, pair.negative))
    return tuple(dict.fromkeys((*pairs, *plan.keep, *plan.preserves, plan.caption)))
