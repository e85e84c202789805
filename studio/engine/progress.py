"""Progress of a job as events: how far, how long yet, and now and then a preview."""

from __future__ import annotations

import time

from studio.core.recipe import Recipe
from studio.engine.kinds import Tell
from studio.engine.trajectory import StepReport
from studio.models.bundle import ModelBundle

PREVIEWS_PER_S = 8  # at most
PREVIEW_SHARE = 0.01  # of the time, at most, goes into previews of up to 10 ms
_LONGEST_PAUSE_S = 1.0  # one preview that took long, since others had the processor, must not end them all
_TOLD_EVERY_S = 0.02  # a thousand steps of a tiny model would flood the pipe


class Progress:
    """Called with each step of each image of a job."""

    def __init__(self, recipes: list[Recipe], tell: Tell, previews: bool) -> None:
        self._previews = previews
        self._recipes = recipes
        self._tell = tell
        self._total = sum(recipe.steps for recipe in recipes)
        self._done = 0
        self._timed_from = 0.0
        self._told = 0.0
        self._next_preview = 0.0
        self._mine: list[int] = []
        self._bundle: ModelBundle | None = None

    def begin(self, bundle: ModelBundle, mine: list[int]) -> None:
        """What follows is of this model and these recipes."""
        self._bundle, self._mine = bundle, mine
        # Loading a model is part of the job and not of this clock.
        if not self._done:
            self._timed_from = time.monotonic()

    def __call__(self, report: StepReport) -> None:
        now_s = time.monotonic()
        self._done += 1
        if now_s - self._told > _TOLD_EVERY_S or report.step == report.steps:  # always the last
            self._told = now_s
            self._tell(
                "progress",
                {
                    "image": self._mine[report.index],
                    "images": len(self._recipes),
                    "step": report.step,
                    "steps": report.steps,
                    "left_s": round((now_s - self._timed_from) / self._done * (self._total - self._done), 2),
                    "done": round(self._done / self._total, 6),
                },
            )
        if self._previews and now_s >= self._next_preview and report.step < report.steps:
            self._preview(report, now_s)

    def _preview(self, report: StepReport, now_s: float) -> None:
        if self._bundle is None:
            return
        self._tell("preview", {"image": self._mine[report.index], "png": self._bundle.preview_map.png(report.x0[0])})
        took = time.monotonic() - now_s
        self._next_preview = now_s + min(max(1 / PREVIEWS_PER_S, took / PREVIEW_SHARE), _LONGEST_PAUSE_S)
