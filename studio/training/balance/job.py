"""The kind of job "balance": texts are solved once, then looks at pictures say how much of each attribute is added.

Every look is of prompts and seeds of its own, and the result is told by others still. The edit is that of the look that
came nearest to what is wanted; stopped on the way, that of the nearest so far.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.core.errors import Cancelled
from studio.core.recipe import EditRef
from studio.engine.edits.format import Edit, LowRank
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Steps, heed
from studio.engine.resident import room_of
from studio.erasure.balance import farthest, stepped
from studio.erasure.closed_form import Pairs, low_rank, solve
from studio.models.bundle import ModelBundle
from studio.training.balance.outcome import BROKEN, FARTHEST, OF_BASE, outcome
from studio.training.balance.plan import METHOD, BalancePlan, read_plan
from studio.training.balance.sentences import saying, staying, unsaid
from studio.training.erase.instant import ENERGY, LAYERS, Layers
from studio.training.erase.texts import PAIRS
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_engine
from studio.training.evaluate.protocol import Protocol
from studio.training.handover import hand_over
from studio.training.lora.files import EDITS
from studio.training.lora.looks import oracle
from studio.world.reading import Reading

FIRST_SEED = 830_000  # beside those of cards and of looks at trainings
TOGETHER = 64  # texts that are encoded in one pass


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Make the edit; yields while texts are encoded and wherever drawing does.

    job: "plan" (plain values, BalancePlan), "folder" (where edits are written).
    Tells "started", a "measure" of each look (attribute -> share of all its pictures), one of the check, which has
    the base's beside, "edit" and "done". Raises BadInput, NotFound, WorkspaceError; Cancelled, with an edit where a
    look was better than the base's.
    """
    plan = read_plan(job["plan"])
    folder, began = Path(job["folder"]), time.monotonic()
    context.tell("started", {"steps": plan.rounds})
    with context.engine.lease(plan.model, context.should_stop, False) as bundle:
        room_of(bundle).use(EMPTY)
        solution = yield from _solved(plan, bundle, context)
        side_px = bundle.default_size_px
    looks = _Looks(plan, solution, context, folder, side_px)
    try:
        yield from looks.approach()
        values = yield from looks.check()
    except Cancelled:
        if any(looks.best.gammas):
            edit = solution.edit(looks.best.gammas, {}, looks.measures)
            context.tell("edit", hand_over(edit, folder, looks.best.step, final=False))
        raise
    context.tell("measure", {"step": looks.best.step, "values": values})
    edit = solution.edit(looks.best.gammas, values, looks.measures)
    came_to = outcome(plan, looks.measures, edit.provenance["gammas"], values)
    ended = {} if came_to.level == "met" else {"ended": came_to.sentence}
    context.tell("edit", {**hand_over(edit, folder, looks.best.step, final=True), **ended})
    context.tell("done", {"images": 0, "seconds": round(time.monotonic() - began, 3)})


@dataclass(frozen=True)
class Solution:
    """Maps G_k of attributes, and the weights they change: an edit for any gammas, without a model.

    base: fingerprints of the components.
    """

    plan: BalancePlan
    changes: Sequence[Tensor]
    weights: Mapping[str, Tensor]
    base: Mapping[str, str]

    def edit(
        self,
        gammas: Sequence[float],
        measures: Mapping[str, float] | None = None,
        looks: Sequence[Mapping[str, float]] = (),
    ) -> Edit:
        """The edit at some gammas. measures: of the check, where there was one. looks: measures of each look so far."""
        whole = torch.stack([gamma * change for gamma, change in zip(gammas, self.changes, strict=True)]).sum(0)
        layers: Layers = {}
        for address, weight in self.weights.items():
            component, _, path = address.partition(".")
            (b,), a = low_rank(weight, [whole], ENERGY)
            layers.setdefault(component, {})[path] = LowRank(a.float(), b.float(), float(len(a)))
        added = dict(zip((attribute.words for attribute in self.plan.attributes), gammas, strict=True))
        provenance = {
            "method": METHOD,
            "balance": self.plan.model_dump(mode="json"),
            "gammas": added,
            "measures": dict(measures or {}),
            "looks": [dict(look) for look in looks],
        }
        return Edit(self.plan.name, "lora", layers, base=dict(self.base), provenance=provenance)


@dataclass
class _Look:
    """step: its number, from 0. shares: of all pictures, by attribute; distance: the farthest of them from wanted."""

    step: int = 0
    gammas: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    distance: float = 1.0


class _Looks:
    """The looks of one balance; `best` is the nearest so far, `measures` has those of each."""

    def __init__(self, plan: BalancePlan, solution: Solution, context: JobContext, folder: Path, side_px: int) -> None:
        self._plan, self._solution, self._context = plan, solution, context
        self._folder, self._side_px = folder, side_px
        self._values = plan.values()
        self.best = _Look()
        self.measures: list[dict[str, float]] = []
        self._drawn, self._began = 0, time.monotonic()
        self._left = plan.rounds * plan.pictures + 2 * plan.checked  # pictures, at most

    def approach(self) -> Steps:
        """Look and step, until it is near enough or there have been enough looks."""
        plan = self._plan
        gammas = [0.0] * len(plan.attributes)
        for step in range(plan.rounds):
            prompts = unsaid(plan, plan.pictures, plan.seed + 2 + step)
            readings = yield from self._read(prompts, FIRST_SEED + step * plan.pictures, gammas)
            shares = self._shares(readings)
            look = _Look(step, list(gammas), shares, farthest(plan.targets, shares))
            if step == 0 or look.distance < self.best.distance:
                self.best = look
            self.measures.append(self._named(shares) | {FARTHEST: look.distance, BROKEN: _broken(readings)})
            self._context.tell("measure", {"step": step, "values": self.measures[-1]})
            if look.distance <= plan.tolerance:
                break
            gammas = stepped(gammas, plan.targets, shares)

    def check(self) -> Generator[None, None, dict[str, float]]:
        """Base and edit on prompts and seeds of which none was looked at: what the result is told by."""
        plan = self._plan
        self._left = 2 * plan.checked
        prompts = unsaid(plan, plan.checked, plan.seed + 1000)
        values: dict[str, float] = {}
        for name, gammas in (("", self.best.gammas), (OF_BASE, [0.0] * len(plan.attributes))):
            readings = yield from self._read(prompts, FIRST_SEED + 100_000, gammas)
            shares = self._shares(readings)
            measures = self._named(shares) | {FARTHEST: farthest(plan.targets, shares), BROKEN: _broken(readings)}
            values |= {f"{key}{name}": value for key, value in measures.items()}
        return values

    def _read(
        self, prompts: Sequence[str], first_seed: int, gammas: Sequence[float]
    ) -> Generator[None, None, list[Reading]]:
        edits: dict[str, str] = {}
        refs: tuple[EditRef, ...] = ()
        if any(gammas):
            facts = hand_over(
                self._solution.edit(gammas), self._folder, 0, final=False, name=EDITS.replace("*", "-look")
            )
            called = f"balance-{facts['sha256'][:12]}"
            edits, refs = {called: facts["path"]}, (EditRef(edit=called),)
        protocol = Protocol(steps=self._plan.steps)
        recipes = [
            protocol.recipe(Case(prompt, first_seed + place), self._plan.model, self._side_px, refs)
            for place, prompt in enumerate(prompts)
        ]
        pictures: dict[int, np.ndarray] = {}
        draw = by_engine(self._context.engine, edits, self._context.should_stop, self._tell_progress)
        for turn in draw(recipes):
            if turn is None:
                yield
            else:
                pictures[turn[0]] = turn[1]
                self._drawn, self._left = self._drawn + 1, self._left - 1
                self._tell_progress()
        return oracle().read(np.stack([pictures[place] for place in range(len(recipes))]))

    def _tell_progress(self, in_hand: float = 0.0) -> None:
        """in_hand: work done at pictures that are not finished, in pictures. How many there will be is known when the
        looks are over; until then at most.
        """
        total, amount = self._drawn + self._left, self._drawn + in_hand
        left_s = (time.monotonic() - self._began) / amount * (total - amount) if amount else None
        standing = {"step": int(amount), "steps": total, "done": amount / total}
        standing |= {} if left_s is None else {"left_s": round(left_s, 1)}
        self._context.tell("progress", standing)

    def _shares(self, readings: Sequence[Reading]) -> list[float]:
        """Of all pictures those that are valid, show the object, and have each attribute."""
        name = self._plan.object.usual()
        readable = [reading for reading in readings if not reading.invalid and reading.things]
        attributes = [
            reading.things[0].colour if self._plan.kind == "colour" else reading.style
            for reading in readable
            if reading.things[0].object == name
        ]
        return [attributes.count(value) / len(readings) for value in self._values]

    def _named(self, shares: Sequence[float]) -> dict[str, float]:
        words = (attribute.words for attribute in self._plan.attributes)
        return dict(zip(words, shares, strict=True))


def _broken(readings: Sequence[Reading]) -> float:
    return sum(reading.invalid for reading in readings) / len(readings)


def _solved(plan: BalancePlan, bundle: ModelBundle, context: JobContext) -> Generator[None, None, Solution]:
    """Encode the sentences and solve for each attribute alone."""
    texts = list(dict.fromkeys(unsaid(plan, PAIRS, plan.seed)))
    pairs = [saying(plan, texts, attribute.words) for attribute in plan.attributes]
    stays = staying(plan, plan.seed)
    sentences = list(dict.fromkeys([*stays, *texts, *(attributed for pair in pairs for _, attributed in pair)]))
    vectors: dict[str, Tensor] = {}
    for first in range(0, len(sentences), TOGETHER):
        heed(context.should_stop)
        together = sentences[first : first + TOGETHER]
        ids = torch.tensor([bundle.tokenizer.ids(text) for text in together], device=bundle.device)
        with torch.inference_mode():
            tokens = bundle.embed(ids).tokens.double().cpu()
        vectors |= dict(zip(together, tokens.clone(), strict=True))
        yield
    stay_vectors = torch.cat([vectors[text] for text in stays])
    changes = [
        solve([_aligned(bundle, vectors, pair)], stay_vectors, plan.protect, plan.completeness)[0] for pair in pairs
    ]
    weights: dict[str, Tensor] = {}
    for address in bundle.edit_targets()[LAYERS]:
        component, _, path = address.partition(".")
        layer: Any = bundle.components()[component].get_submodule(path)
        weights[address] = layer.weight.detach().cpu().clone()
    components = {address.partition(".")[0] for address in weights}
    base = {component: room_of(bundle).fingerprint(component) for component in components}
    return Solution(plan, changes, weights, base)


def _aligned(bundle: ModelBundle, vectors: Mapping[str, Tensor], pairs: Sequence[tuple[str, str]]) -> Pairs:
    """The vectors of the object and of all behind it, word on word: what is put before it moves them on by its tokens.

    Before it a text encoder that reads from left to right has equal vectors; behind it all know of the attribute, the
    padding too.
    """
    sources, targets = [], []
    for text, attributed in pairs:
        ids, attributed_ids = (bundle.tokenizer.word_ids(sentence) for sentence in (text, attributed))
        alike = 0  # from the end on
        while alike < min(len(ids), len(attributed_ids)) and ids[-1 - alike] == attributed_ids[-1 - alike]:
            alike += 1
        start, moved = 1 + len(ids) - alike, len(attributed_ids) - len(ids)
        length = len(vectors[text])
        if alike and 0 < moved and start + moved < length:
            sources.append(vectors[text][start : length - moved])
            targets.append(vectors[attributed][start + moved :])
    return Pairs(torch.cat(sources), torch.cat(targets))
