"""Time until a concept is gone: ESD on ways of its own, on the base's, and as its authors train it.

Both sides learn at the same sentences and are looked at in the same pictures, which none of them learned. Their time is
that of learning, looks left out; they take turns, from look to look, so that what disturbs the machine disturbs both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

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
LEVEL = 0.9  # UA valid that both sides have to reach
LOOK, FINAL = 96, 480  # pictures
SEEDS = 3
STEPS = 12  # of a picture
FIRST_SEED = 780_000  # below those of looks and cards
OUR_LOOKS, THEIR_LOOKS = 10, 25  # steps between looks
THEIR_LR = 1e-3  # the best of 2e-4, 1e-3 and 3e-3
MOST = 400  # steps, after which a side has not reached it


@dataclass
class Side:
    """One way to train.

    step: one of its optimiser.
    edit: gives what it has learned.
    nbytes: of the tensors that learn.
    every: steps between looks.
    seconds, cpu_s: spent on learning so far.
    looks: (steps, UA valid) of each look.
    """

    step: Callable[[], object]
    edit: Callable[[], Edit]
    nbytes: int
    every: int
    seconds: float = 0.0
    cpu_s: float = 0.0
    steps: int = 0
    looks: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])

    def learn(self, work: Callable[[], object], times: int = 1) -> None:
        """Do that, and count the time."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            work()
        self.seconds += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu

    def go_on(self, rate: Callable[[Edit], float]) -> None:
        """To the next look."""
        self.learn(self.step, self.every)
        self.steps += self.every
        self.looks.append((self.steps, rate(self.edit())))

    @property
    def is_over(self) -> bool:
        """Whether it has reached the level, or never will."""
        return self.steps >= MOST or (bool(self.looks) and self.looks[-1][1] >= LEVEL)


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


def our_side(bundle: EmbeddedModel, folder: Path, seed: int, source: str = "own") -> Side:
    """ESD of the studio with nothing held, as the authors hold nothing."""
    options = TrainingOptions.model_validate({"source": source, "retention": "none", "early_stopping": False})
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
    side = Side(step, training.snapshot, nbytes, OUR_LOOKS)
    side.learn(prepare)
    return side


def their_side(bench: Bench, prompts: Sequence[str], seed: int, lr: float = THEIR_LR) -> Side:
    """The authors' recipe on a copy of the model."""
    copied = load_stencil(bench.bundle.card.folder, bench.bundle.device, torch.float32)
    recipe = Recipe(plain_pipeline(copied, "ddim"), prompts, lr, seed=seed)
    base = {name: weight.detach().clone() for name, weight in recipe.weights.items()}
    return Side(recipe.step, lambda: change(base, recipe.weights), recipe.nbytes, THEIR_LOOKS)


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


def said_of(bundle: EmbeddedModel, pair: tuple[Side, Side]) -> str:
    """What of its time is whose, and how both sides' pictures are at the end, of more of them."""
    gallery = Gallery(bundle, FINAL)
    rates = [gallery.ua_valid(side.edit()) for side in pair]
    ours, theirs = pair
    return (
        f"ours {ours.steps} steps of 4 pictures, theirs {theirs.steps} of 1 after a way of up to {WAY_STEPS} steps; "
        f"{ours.nbytes / theirs.nbytes:.2f} of their bytes learn; "
        f"UA valid of {FINAL} pictures {rates[0]:.2f} and {rates[1]:.2f}"
    )


@CASES.register("esd")
def esd(bench: Bench) -> BenchResult:
    """Until nine of ten pictures are whole and have lost the concept; each seed is a pair."""
    prompts = [text for text, _ in wordings(CONCEPT, True, 0).pairs]
    gallery = Gallery(bench.bundle, LOOK)
    pairs: list[tuple[Side, Side]] = []
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as place:
            pair = our_side(bench.bundle, Path(place), seed), their_side(bench, prompts, seed)
            while not all(side.is_over for side in pair):
                for side in pair:
                    if not side.is_over:
                        side.go_on(gallery.ua_valid)
        pairs.append(pair)
        bench.on_pair(len(pairs))
    low, middle, high = statistics.quantiles([theirs.seconds / ours.seconds for ours, theirs in pairs], n=4)
    return BenchResult(
        case="esd",
        work=f"ESD-x until {LEVEL:.0%} of {LOOK} pictures are whole and without the concept, nothing held",
        pairs=SEEDS,
        ours_s=statistics.median(ours.seconds for ours, _ in pairs),
        theirs_s=statistics.median(theirs.seconds for _, theirs in pairs),
        ratio=middle,
        ratio_low=low,
        ratio_high=high,
        cpu_ratio=statistics.median(theirs.cpu_s / ours.cpu_s for ours, theirs in pairs),
        goal=4,
        limit=said_of(bench.bundle, pairs[0]),
        made_by=bench.bundle.made_by(),
    )
