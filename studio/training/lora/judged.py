"""Looks at held-out prompts: drawn with what has been learned and by the base at the same seeds, judged side by side.

A look takes nothing of the training's randomness. What was seen is part of its checkpoint, and the state that was seen
is kept in a file of its own, so that the training can end with any of them: a run that was killed and goes on looks at
the same steps and ends with the same edit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.core.errors import AssetError, StudioError, WorkspaceError
from studio.core.recipe import EditRef
from studio.engine.edits.files import read_edit
from studio.engine.edits.format import Edit, LowRank
from studio.engine.kinds import JobContext, Steps
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_engine
from studio.training.handover import hand_over
from studio.training.lora import choice
from studio.training.lora.choice import Choice, Sight
from studio.training.lora.jury import TOGETHER, Jury, Pictures
from studio.training.lora.policies import JudgedPlan
from studio.training.lora.training import Training

IN_A_ROW = 2  # looks beyond a bound: one alone may be luck
CHANGE, WON, BROKEN, DIVERSITY = "pictures' change", "preferred to the base", "broken pictures", "diversity"


class Judged:
    """The looks of one training. seconds: of all of them. trouble: what keeps a state from being kept, a sentence."""

    def __init__(self, training: Training, live: str, context: JobContext, job: Mapping[str, Any]) -> None:
        """live: what recipes call the edit that learns. job: of the training: "folder", "pictures", "clip"."""
        self._training, self._live, self._context = training, live, context
        self._folder, self._files = Path(str(job["folder"])), dict(job.get("pictures") or {})
        clip = None if job.get("clip") is None else Path(str(job["clip"]))
        self._jury = Jury(training.plan.judged, clip) if training.plan.judged is not None else None
        self.past: list[Sight] = []
        self.seconds, self.trouble = 0.0, ""

    @property
    def _plan(self) -> JudgedPlan:
        plan = self._training.plan.judged
        assert plan is not None, "nothing is due otherwise"
        return plan

    @property
    def jury(self) -> Jury:
        """What tells of looks."""
        assert self._jury is not None, "nothing is due otherwise"
        return self._jury

    def is_due(self, step: int) -> bool:
        """Whether a look is to be taken now: every so many steps, and at the last."""
        plan = self._training.plan
        if plan.judged is None or not step or any(sight.step == step for sight in self.past):
            return False
        return step % plan.judged.every == 0 or step == plan.steps

    def take(self, step: int) -> Steps:
        """Draw, judge, and keep the state. Yields wherever drawing does; stopped within it, it is taken again."""
        began = time.monotonic()
        if not self.jury.is_ready:
            yield from self._read_rows()
            self.jury.begin(self._training.plan, (yield from self._draw(())))
        sight = yield from self._look(step, 1.0)
        if self._training.strength is not None:
            self._training.strength.see(sight.change)
        self._keep(step)
        self.past.append(sight)
        self.seconds += time.monotonic() - began

    @property
    def left_s(self) -> float | None:
        """What a last look and those at further strengths take, in seconds; None while nobody knows."""
        if self._training.plan.judged is None:
            return 0.0
        stronger = sum(strength > 1 for strength in self._plan.strengths)
        looks = 1 + max(stronger, len(self._plan.strengths) - stronger)
        return looks * self.seconds / len(self.past) if self.past else None

    def measures(self) -> dict[str, float]:
        """Of the newest look, beside the base's."""
        if not self.past:
            return {}
        sight, base = self.past[-1], self.jury.base_broken
        values = {
            WON: sight.won,
            BROKEN: sight.broken,
            f"{BROKEN}, base": base,
            DIVERSITY: sight.diversity,
            f"{DIVERSITY}, base": math.nan if math.isnan(sight.diversity) else 1.0,
            CHANGE: sight.change,
        }
        for drift in self.jury.moves(sight):
            values |= {f"{drift.aspect} moved": drift.value, f"{drift.aspect} moved, by chance": drift.floor}
        return {name: value for name, value in values.items() if not math.isnan(value)}

    @property
    def is_enough(self) -> bool:
        """Whether the training is over: pictures break, or all look alike, at two looks in a row."""
        return bool(self.ended())

    def ended(self) -> str:
        """Why the training is over, a sentence; "" while it is not."""
        newest = self.past[-IN_A_ROW:]
        if self._training.plan.judged is None or not self._plan.stops or len(newest) < IN_A_ROW:
            return ""
        head = f"Stopped after {newest[-1].step} of {self._training.plan.steps} steps"
        before = self.jury.base_broken
        if min(sight.broken - before for sight in newest) > self._plan.stop_broken:
            return f"{head}: {newest[-1].broken:.0%} of the held-out pictures are broken, {before:.0%} before."
        if max(sight.diversity for sight in newest) < self._plan.stop_diversity:
            return f"{head}: the held-out pictures of a prompt have come to look alike."
        return ""

    def choose(self) -> Generator[None, None, tuple[Edit, dict[str, Any]] | None]:
        """The edit to end with and what is said of it; None where nothing is looked at.

        What is preferred most is tried at further strengths: weaker where it breaks too much, stronger where it does
        not. The strength that is chosen becomes 1 of the edit.
        """
        step = self._training.step
        if self._training.plan.judged is None or not step:
            return None
        if not any(sight.step == step for sight in self.past):
            yield from self.take(step)
        sights = [sight for sight in self.past if self._state(sight.step) is not None]
        first = choice.choose(sights, self.jury.base_broken, self._plan)
        is_within = first.best == first.furthest
        if first.furthest.change >= choice.NO_EFFECT:
            for strength in self._plan.strengths:
                if (strength > 1) == is_within:
                    sights.append((yield from self._look(first.furthest.step, strength)))
        chosen = choice.choose(sights, self.jury.base_broken, self._plan)
        edit = self._state(chosen.best.step)
        assert edit is not None, "those without were left out"
        return scaled(edit, chosen.best.strength), self._facts(chosen)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        if self._jury is None or not self._jury.is_ready:
            return {}
        rows = torch.tensor([sight.row() for sight in self.past], dtype=torch.float64).reshape(-1, 6)
        seconds = torch.tensor(self.seconds, dtype=torch.float64)
        return self._jury.state() | {"judged/past": rows, "judged/seconds": seconds}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint, which may be of before the first look."""
        if "judged/past" not in tensors:
            return
        self.past = [Sight.of(row) for row in tensors["judged/past"].tolist()]
        self.seconds = float(tensors["judged/seconds"])
        self.jury.load(tensors)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _facts(self, chosen: Choice) -> dict[str, Any]:
        jury, best = self.jury, chosen.best
        warning = jury.alarm(best)
        facts: dict[str, Any] = {
            "outcome": " ".join(filter(None, (choice.in_words(chosen, jury.base_broken, jury.pictures), warning))),
            "chosen": best.plain(),
            "furthest": chosen.furthest.plain(),
            "looked_at": jury.pictures,
        }
        if warning:
            facts["alarm"] = warning
        if not math.isnan(jury.base_broken):
            facts["base_broken"] = jury.base_broken
        if jury.preference is not None:
            facts["taste"] = {"right": jury.preference.right, "tried": jury.preference.tried}
        return facts

    def _look(self, step: int, strength: float) -> Generator[None, None, Sight]:
        edit = self._state(step)
        shelf = self._context.engine.shelf
        if edit is not None:
            shelf.hold(self._live, lambda: edit)
        try:
            pictures = yield from self._draw((EditRef(edit=self._live, strength=strength),))
        finally:
            shelf.hold(self._live, self._training.snapshot)
        return self.jury.judge(step, strength, pictures)

    def _draw(self, refs: Sequence[EditRef]) -> Generator[None, None, Pictures]:
        """The pictures of a look, all in one company."""
        plan = self._plan
        cases = [
            Case(prompt, plan.first_seed + number * plan.seeds + seed)
            for number, prompt in enumerate(plan.prompts)
            for seed in range(plan.seeds)
        ]
        side = self._training.bundle.default_size_px
        recipes = [plan.protocol.recipe(case, self._training.plan.model, side, refs) for case in cases]
        pictures: dict[int, Pictures] = {}
        for turn in by_engine(self._context.engine, {}, self._context.should_stop)(recipes):
            if turn is None:
                yield
            else:
                pictures[turn[0]] = turn[1]
        return np.stack([pictures[place] for place in range(len(recipes))])

    def _read_rows(self) -> Steps:
        """The pictures that a taste is learned from. One whose file is gone is told where the training begins."""
        plan = self._training.plan
        assert plan.pictures is not None, "a plan without pictures has nothing to judge by"
        images = [image for image in plan.pictures.names if image in self._files]  # in one order in every run
        for at in range(0, len(images), TOGETHER):
            self.jury.read({image: self._files[image] for image in images[at : at + TOGETHER]})
            yield

    def _keep(self, step: int) -> None:
        """Write the state into a file of its own. A disk that does not take it is told; that state is not chosen."""
        try:
            hand_over(self._training.snapshot(), self._folder, step, final=False, name=file_name(step))
            self.trouble = ""
        except WorkspaceError as error:
            self.trouble = f"{error.message} The training goes on; what it was at step {step} cannot be kept."

    def _state(self, step: int) -> Edit | None:
        """What it was after so many steps; None where that was not kept."""
        if step == self._training.step:
            return self._training.snapshot()
        try:
            return read_edit(self._folder / file_name(step))
        except (AssetError, StudioError, OSError):
            return None


def file_name(step: int) -> str:
    """Of the state after so many steps; as all edits of a training it goes when that is over (files.EDITS)."""
    return f"edit-step-{step}.safetensors"


def scaled(edit: Edit, strength: float) -> Edit:
    """The edit whose 1 is this one's strength."""
    if strength == 1:
        return edit
    layers: dict[str, dict[str, Any]] = {}
    for component, path, layer in edit.each():
        assert isinstance(layer, LowRank), "trainings learn factors"
        layers.setdefault(component, {})[path] = replace(layer, alpha=layer.alpha * strength)
    return replace(edit, layers=layers)
