"""Looks at held-out prompts: drawn with what has been learned and by the base at the same seeds, judged side by side.

A look takes nothing of the training's randomness. What was seen is part of its checkpoint, and the state that was seen
is kept in a file of its own, so that the training can end with any of them: a run that was killed and goes on looks at
the same steps and ends with the same edit.
"""

from __future__ import annotations

import contextlib
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
from studio.metrics.diversity import dissimilarity
from studio.metrics.look import PROFILES, Drift, alarm, drifts
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_engine
from studio.training.evaluate.meter import Picture, tensor
from studio.training.features.extractors import Loaded, load
from studio.training.features.job import read_picture
from studio.training.handover import hand_over
from studio.training.lora import choice
from studio.training.lora.choice import Choice, Sight
from studio.training.lora.looks import oracle
from studio.training.lora.policies import JudgedPlan
from studio.training.lora.preferred import Preference, learn
from studio.training.lora.training import Training

_FLAT = 1e-9  # below it the base draws one picture only
IN_A_ROW = 2  # looks beyond a bound: one alone may be luck
TOGETHER = 16  # pictures whose features are computed at once
CHANGE, WON, BROKEN, DIVERSITY = "pictures' change", "preferred to the base", "broken pictures", "diversity"


class Judged:
    """The looks of one training. seconds: of all of them. trouble: what keeps a state from being kept, a sentence."""

    def __init__(self, training: Training, live: str, context: JobContext, job: Mapping[str, Any]) -> None:
        """live: what recipes call the edit that learns. job: of the training: "folder", "pictures", "clip"."""
        self._training, self._live, self._context = training, live, context
        self._folder, self._files = Path(str(job["folder"])), dict(job.get("pictures") or {})
        self._clip = None if job.get("clip") is None else Path(str(job["clip"]))
        self._extractor: Loaded | None = None
        self.past: list[Sight] = []
        self._base: dict[str, Tensor] = {}  # "features" [N, F], "pictures" [N, H, W, 3], "broken" []
        self._preference: Preference | None = None
        self._moves: dict[tuple[int, float], list[Drift]] = {}  # state and strength -> how far looks have moved
        self._is_learned = False
        self.seconds, self.trouble = 0.0, ""

    @property
    def _plan(self) -> JudgedPlan:
        plan = self._training.plan.judged
        assert plan is not None, "nothing is due otherwise"
        return plan

    def is_due(self, step: int) -> bool:
        """Whether a look is to be taken now: every so many steps, and at the last."""
        plan = self._training.plan
        if plan.judged is None or not step or any(sight.step == step for sight in self.past):
            return False
        return step % plan.judged.every == 0 or step == plan.steps

    def take(self, step: int) -> Steps:
        """Draw, judge, and keep the state. Yields wherever drawing does; stopped within it, it is taken again."""
        began = time.monotonic()
        if not self._is_learned:
            yield from self._learn()
        if not self._base:
            pictures = yield from self._draw(())
            self._base = {"features": self._features(pictures), "pictures": torch.from_numpy(pictures)}
            self._base["broken"] = torch.tensor(self._broken(pictures))
        sight = yield from self._look(step, 1.0)
        if self._training.strength is not None:
            self._training.strength.see(sight.change)
        self._keep(step)
        self.past.append(sight)
        self.seconds += time.monotonic() - began

    def measures(self) -> dict[str, float]:
        """Of the newest look, beside the base's."""
        if not self.past:
            return {}
        sight, base = self.past[-1], self.base_broken
        values = {
            WON: sight.won,
            BROKEN: sight.broken,
            f"{BROKEN}, base": base,
            DIVERSITY: sight.diversity,
            f"{DIVERSITY}, base": math.nan if math.isnan(sight.diversity) else 1.0,
            CHANGE: sight.change,
        }
        for drift in self._moves.get((sight.step, sight.strength), ()):
            values |= {f"{drift.aspect} moved": drift.value, f"{drift.aspect} moved, by chance": drift.floor}
        return {name: value for name, value in values.items() if not math.isnan(value)}

    @property
    def base_broken(self) -> float:
        """Share of the base's pictures that are broken; nan where nobody can say."""
        return float(self._base["broken"]) if self._base else math.nan

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
        if min(sight.broken - self.base_broken for sight in newest) > self._plan.stop_broken:
            return (
                f"{head}: {newest[-1].broken:.0%} of the held-out pictures are broken, {self.base_broken:.0%} before."
            )
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
        first = choice.choose(sights, self.base_broken, self._plan)
        is_within = first.best == first.furthest
        if first.furthest.change >= choice.NO_EFFECT:
            for strength in self._plan.strengths:
                if (strength > 1) == is_within:
                    sights.append((yield from self._look(first.furthest.step, strength)))
        chosen = choice.choose(sights, self.base_broken, self._plan)
        edit = self._state(chosen.best.step)
        assert edit is not None, "those without were left out"
        return scaled(edit, chosen.best.strength), self._facts(chosen)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        if not self._is_learned:
            return {}
        tensors = {f"judged/base/{name}": value for name, value in self._base.items()}
        if self._preference is not None:
            tensors |= {f"judged/preference/{name}": value for name, value in self._preference.state().items()}
        rows = torch.tensor([sight.row() for sight in self.past], dtype=torch.float64).reshape(-1, 6)
        tensors["judged/moves"] = torch.tensor(
            [(*place, drift.value, drift.floor) for place, moves in self._moves.items() for drift in moves],
            dtype=torch.float64,
        ).reshape(-1, len(PROFILES), 4)
        return tensors | {"judged/past": rows, "judged/seconds": torch.tensor(self.seconds, dtype=torch.float64)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint, which may be of before the first look."""
        if "judged/past" not in tensors:
            return
        self._is_learned = True
        self.past = [Sight.of(row) for row in tensors["judged/past"].tolist()]
        self.seconds = float(tensors["judged/seconds"])
        for rows in tensors["judged/moves"].tolist() if "judged/moves" in tensors else ():
            moves = [Drift(aspect, *row[2:]) for aspect, row in zip(PROFILES, rows, strict=True)]
            self._moves[int(rows[0][0]), rows[0][1]] = moves
        base, preference = "judged/base/", "judged/preference/"
        self._base = {n.removeprefix(base): tensor for n, tensor in tensors.items() if n.startswith(base)}
        if f"{preference}direction" in tensors:
            self._preference = Preference.load(tensors[f"{preference}direction"], tensors[f"{preference}numbers"])

    # -- inside ------------------------------------------------------------------------------------------------------

    def _facts(self, chosen: Choice) -> dict[str, Any]:
        pictures = len(self._base["features"])
        sentences = (
            choice.in_words(chosen, self.base_broken, pictures),
            alarm(self._moves.get((chosen.best.step, chosen.best.strength), ())),
        )
        facts: dict[str, Any] = {
            "outcome": " ".join(filter(None, sentences)),
            "chosen": chosen.best.plain(),
            "furthest": chosen.furthest.plain(),
            "looked_at": pictures,
        }
        if not math.isnan(self.base_broken):
            facts["base_broken"] = self.base_broken
        if self._preference is not None:
            facts["taste"] = {"right": self._preference.right, "tried": self._preference.tried}
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
        features, base = self._features(pictures), self._base["features"]
        won = math.nan if self._preference is None else float(self._preference.won(features, base).mean())
        gap = np.abs(pictures.astype(np.float32) - self._base["pictures"].numpy().astype(np.float32))
        self._moves[step, strength] = drifts(tensor(pictures), tensor(self._base["pictures"].numpy()))
        diversity = self._diversity(features) / max(self._diversity(base), _FLAT)
        return Sight(step, strength, won, self._broken(pictures), diversity, float(gap.mean()))

    def _diversity(self, features: Tensor) -> float:
        """How far a prompt's pictures are apart on the mean; nan of one seed. features: [N, F], seeds together."""
        seeds = self._plan.seeds
        return math.nan if seeds < 2 else float(dissimilarity(features.unflatten(0, (-1, seeds))).mean())

    def _draw(self, refs: Sequence[EditRef]) -> Generator[None, None, Any]:
        """uint8 [N, H, W, 3], every seed of a prompt behind the one before, all in one company."""
        plan = self._plan
        cases = [
            Case(prompt, plan.first_seed + number * plan.seeds + seed)
            for number, prompt in enumerate(plan.prompts)
            for seed in range(plan.seeds)
        ]
        side = self._training.bundle.default_size_px
        recipes = [plan.protocol.recipe(case, self._training.plan.model, side, refs) for case in cases]
        pictures: dict[int, Picture] = {}
        for turn in by_engine(self._context.engine, {}, self._context.should_stop)(recipes):
            if turn is None:
                yield
            else:
                pictures[turn[0]] = turn[1]
        return np.stack([pictures[place] for place in range(len(recipes))])

    def _learn(self) -> Steps:
        """The taste of the rows, on features of their pictures. One whose file is gone is told where it is learned."""
        plan, features = self._training.plan, dict[str, Tensor]()
        assert plan.pictures is not None, "a plan without pictures has nothing to judge by"
        images = [image for image in plan.pictures.names if image in self._files]  # in one order in every run
        for at in range(0, len(images), TOGETHER):
            pictures = {image: read_picture(Path(self._files[image])) for image in images[at : at + TOGETHER]}
            whole = {image: picture for image, picture in pictures.items() if picture is not None}
            with contextlib.suppress(ValueError):  # of several sizes: they are passed over, as the training does not
                features |= dict(zip(whole, self._features(np.stack(list(whole.values()))), strict=True))
            yield
        self._preference = learn(plan, features)
        self._is_learned = True

    def _features(self, pictures: Any) -> Tensor:
        if self._extractor is None:
            self._extractor = load(self._plan.features, self._clip)
        return torch.from_numpy(self._extractor.extract(pictures).copy()).float()

    def _broken(self, pictures: Any) -> float:
        if not self._plan.in_world:
            return math.nan
        return float(np.mean([reading.invalid for reading in oracle().read(pictures)]))

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
