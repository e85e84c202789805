"""Time until a concept is gone: ESD on ways of its own against ESD as its authors train it.

Both sides learn at the same sentences and are looked at in the same pictures, which none of them learned. Neither gets
better for ever: what is whole and without the concept becomes more, and then less. So theirs has as many steps as the
script takes, its best look is what both are held to, and each side's time is that of its first look within a margin of
it. Time is that of learning, looks left out; sides take turns from look to look, so that what disturbs the machine
disturbs both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from studio.core.errors import StudioError
from studio.core.recipe import Recipe as PictureRecipe
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.reference import plain_pipeline
from studio.engine.bench.results import BenchResult
from studio.engine.edits.format import Dense, Edit
from studio.engine.edits.stack import EditStack
from studio.engine.order import Order
from studio.engine.sampler import Picture, sample
from studio.models.embedded import EmbeddedModel, load_stencil
from studio.training.bench.esd_recipe import WAY_STEPS, Recipe
from studio.training.erase.concept import Concept
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import ErasePlan, TrainingOptions
from studio.training.erase.texts import wordings
from studio.training.erase.trained import training_plan
from studio.training.lora.checkpoints import Checkpoints
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from studio.training.lora.training import Training
from studio.world.oracle import Oracle

LOSS = {"esd": "studio.erasure.esd:ESD"}
CONCEPT = Concept(words="star", kind="object")
MARGIN = 0.05  # of UA valid, the share of pictures that are whole and do not show the concept
LOOK, FINAL = 96, 480  # pictures
LOOKS = 8
OUR_STEPS, THEIR_STEPS = 10, 25  # between looks: 200 are the script's own
THEIR_LR = 5e-4  # of 2e-4, 5e-4, 1e-3 and 3e-3 the one that comes to the highest UA valid on Stencil
SEEDS = 3
STEPS = 12  # of a picture
FIRST_SEED = 780_000  # below those of looks and cards


@dataclass(frozen=True)
class Look:
    """What a side had come to.

    steps, seconds, cpu_s: of learning so far.
    rate: UA valid.
    edit: what it had learned.
    """

    steps: int
    seconds: float
    cpu_s: float
    rate: float
    edit: Edit


@dataclass
class Side:
    """One way to train.

    step: one of its optimiser.
    edit: gives what it has learned.
    nbytes: of the tensors that learn.
    every: steps between looks.
    looks: so far.
    """

    step: Callable[[], object]
    edit: Callable[[], Edit]
    nbytes: int
    every: int
    looks: list[Look] = field(default_factory=list[Look])
    _seconds: float = 0.0
    _cpu_s: float = 0.0

    def learn(self, work: Callable[[], object], times: int = 1) -> None:
        """Do that, and count the time."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            work()
        self._seconds += time.perf_counter() - wall
        self._cpu_s += time.process_time() - cpu

    def go_on(self, rate: Callable[[Edit], float]) -> None:
        """To the next look."""
        self.learn(self.step, self.every)
        edit = self.edit()
        steps = self.every * (len(self.looks) + 1)
        self.looks.append(Look(steps, self._seconds, self._cpu_s, rate(edit), edit))

    @property
    def best(self) -> float:
        """The highest rate of its looks."""
        return max(look.rate for look in self.looks)

    def first(self, rate: float) -> Look:
        """Its first look at that rate. Raises StudioError where it never came to it: then no time can be told."""
        for look in self.looks:
            if look.rate >= rate:
                return look
        raise StudioError(f"UA valid came to {self.best:.2f} at most, not to {rate:.2f}: there is no time to compare.")


class Gallery:
    """Pictures of sentences that name the concept and that nobody learned."""

    def __init__(self, bundle: EmbeddedModel, pictures: int) -> None:
        trained = {text for text, _ in wordings(CONCEPT, True, 0).pairs}
        unseen = [text for text, _ in wordings(CONCEPT, True, 1).pairs if text not in trained]
        recipes = [
            PictureRecipe(
                prompt=unseen[n % len(unseen)],
                seed=FIRST_SEED + n,
                steps=STEPS,
                width=bundle.default_size_px,
                height=bundle.default_size_px,
                batching="shared",
            )
            for n in range(pictures)
        ]
        self._bundle, self._recipes, self._oracle = bundle, recipes, Oracle.load()

    def ua_valid(self, edit: Edit) -> float:
        """Share of the pictures that are whole and do not show the concept."""
        stack = EditStack.of([(edit, 1.0)])
        pictures: dict[int, Picture] = dict(sample(self._bundle, [Order(recipe, stack) for recipe in self._recipes]))
        readings = self._oracle.read(np.stack([pictures[n] for n in range(len(pictures))]))
        gone = [not reading.invalid and all(t.object != CONCEPT.words for t in reading.things) for reading in readings]
        return sum(gone) / len(gone)


def our_side(bundle: EmbeddedModel, folder: Path, seed: int) -> Side:
    """ESD of the studio with nothing held, as the authors hold nothing."""
    options = TrainingOptions(source="own", retention="none", early_stopping=False)
    plan = ErasePlan(
        name="bench", model=bundle.name, method="esd", in_world=True, concepts=(CONCEPT,), training=options, seed=seed
    )
    values = Plan.load(training_plan(plan, METHODS.get("esd")))
    training = Training(values, build_loss(values.loss, values.loss_params, LOSS), bundle)

    def step() -> None:
        for _ in training.advance():
            pass

    def prepare() -> None:
        for _ in training.prepare(Checkpoints(folder), {}):
            pass

    nbytes = sum(parameter.numel() * parameter.element_size() for parameter in training.edit.parameters())
    side = Side(step, training.snapshot, nbytes, OUR_STEPS)
    side.learn(prepare)
    return side


def their_side(bench: Bench, prompts: Sequence[str], seed: int) -> Side:
    """The authors' recipe on a copy of the model."""
    copied = load_stencil(bench.bundle.card.folder, bench.bundle.device, torch.float32)
    recipe = Recipe(plain_pipeline(copied, "ddim"), prompts, THEIR_LR, seed=seed)
    base = {name: weight.detach().clone() for name, weight in recipe.weights.items()}
    return Side(recipe.step, lambda: change(base, recipe.weights), recipe.nbytes, THEIR_STEPS)


def change(base: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Edit:
    """What a training of whole weights changed."""
    layers: dict[str, Dense] = {}
    for name in base:
        path, part = name.rsplit(".", 1)
        if part == "weight":
            bias = f"{path}.bias"
            delta = None if bias not in base else (weights[bias] - base[bias]).detach()
            layers[path] = Dense((weights[name] - base[name]).detach(), delta)
    return Edit(name="theirs", kind="dense", layers={"unet": layers})


@CASES.register("esd")
def esd(bench: Bench) -> BenchResult:
    """Until as many pictures are whole and without the concept as theirs come to; each seed is a pair."""
    prompts = [text for text, _ in wordings(CONCEPT, True, 0).pairs]
    gallery = Gallery(bench.bundle, LOOK)
    pairs: list[tuple[Look, Look]] = []
    share = 0.0
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as place:
            ours, theirs = our_side(bench.bundle, Path(place), seed), their_side(bench, prompts, seed)
            for _ in range(LOOKS):
                for side in (ours, theirs):
                    side.go_on(gallery.ua_valid)
        pairs.append((ours.first(theirs.best - MARGIN), theirs.first(theirs.best - MARGIN)))
        share = ours.nbytes / theirs.nbytes
        bench.on_pair(len(pairs))
    low, middle, high = statistics.quantiles([theirs.seconds / ours.seconds for ours, theirs in pairs], n=4)
    further = Gallery(bench.bundle, FINAL)
    rates = [[further.ua_valid(look.edit) for look in pair] for pair in pairs]
    return BenchResult(
        case="esd",
        work="ESD-x until the concept is gone as it is by theirs at best, nothing held",
        pairs=SEEDS,
        ours_s=statistics.median(ours.seconds for ours, _ in pairs),
        theirs_s=statistics.median(theirs.seconds for _, theirs in pairs),
        ratio=middle,
        ratio_low=low,
        ratio_high=high,
        cpu_ratio=statistics.median(theirs.cpu_s / ours.cpu_s for ours, theirs in pairs),
        goal=4,
        limit=(
            f"steps: {_listed(ours.steps for ours, _ in pairs)} of 4 pictures, theirs "
            f"{_listed(theirs.steps for _, theirs in pairs)} of 1 after a way of up to {WAY_STEPS} steps; "
            f"{share:.2f} of their bytes learn; UA valid of {FINAL} pictures "
            f"{_listed(f'{ours:.2f}' for ours, _ in rates)}, theirs {_listed(f'{theirs:.2f}' for _, theirs in rates)}"
        ),
        made_by=bench.bundle.made_by(),
    )


def _listed(values: Iterable[object]) -> str:
    return "/".join(map(str, values))
