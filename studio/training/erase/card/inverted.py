"""Concept inversion of a card: under the edit, on the base and, where there is one, on a model that never met the
concept. Its vectors are learned, then the same prompts are drawn and read; what is read is kept, and not learned again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.core.recipe import EditRef
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.kinds import JobContext, Steps
from studio.models.bundle import ModelBundle
from studio.training.drift.request import GOLD
from studio.training.erase.card import inverting
from studio.training.erase.card.inversion import LearnedWords, drawing, learned, own_words
from studio.training.erase.card.inverting import INVERTED, inverted_texts
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.cases import Case
from studio.training.evaluate.evaluator import Series, evaluate, left
from studio.training.evaluate.files import Run, results_path, run_named, tidy, write_run
from studio.training.evaluate.meter import Meter
from studio.training.evaluate.protocol import Protocol, digest
from studio.training.evaluate.store import FileStore
from studio.training.lora.plan import Ways
from studio.training.lora.states import Renoised, renoised_ends, walk
from studio.world.oracle import Oracle, version

FIRST_SEED = 2**41  # of the base's pictures: those of trainings and of cards are others


def inverted(job: Mapping[str, Any], context: JobContext, subject: Subject, cases: Sequence[Case]) -> Steps:
    """Learn, draw and read, arm by arm; yields wherever these do. An edit that acts in a part of the steps is passed
    over: its words would have to be learned for each part.

    job: as of studio.training.erase.card.job.run. cases: prompts that say the concept.
    Tells "progress", and "done" with how many pictures were "drawn".
    """
    engine, request = context.engine, job["request"]
    protocol, folder = Protocol.model_validate(request["protocol"]), Path(str(job["folder"]))
    refs = [EditRef.model_validate(ref) for ref in request["stacks"][1]]
    stack, model = engine.shelf.stack(refs, job["edits"], protocol.steps), str(request["model"])
    if not isinstance(stack, EditStack):
        return
    sides = ((job.get("drift") or {}).get("request") or {}).get("sides") or {}
    gold = [_Arm(str(sides[GOLD]["model"]), EMPTY)] if GOLD in sides else []
    arms = [_Arm(model, stack), _Arm(model, EMPTY), *gold]
    texts = inverted_texts(subject)
    for arm in arms:
        with engine.lease(arm.model, context.should_stop, False) as bundle:
            arm.settle(bundle, protocol, folder, cases, [model, texts, subject.seed], _words(bundle, subject))
    digests = [arm.digest for arm in arms]
    write_run(folder, run_named(str(job["run"]), INVERTED), Run(tuple(digests), torch.get_num_threads()))
    tidy(folder, digests)
    account = _Account(context, [arm for arm in arms if arm.blocks])
    states: Renoised | None = None
    for arm in account.arms:
        if states is None:
            with engine.lease(model, context.should_stop, False) as bundle:
                ways = Ways(ways=1, steps=protocol.steps)
                _, ends = yield from walk(ways, texts, bundle, model, FIRST_SEED + subject.seed)
                states = renoised_ends(ends, bundle.schedule)
        with engine.lease(arm.model, context.should_stop, False) as bundle:
            start = _words(bundle, subject)
            words = yield from _followed(
                learned(
                    bundle,
                    arm.stack,
                    start,
                    texts,
                    states,
                    subject.seed,
                    inverting.TRAINING_STEPS,
                    context.should_stop,
                ),
                account,
            )
            oracle = Oracle.load()
            draw = drawing(bundle, arm.stack, words, context.should_stop)
            meter = Meter(oracle.read, oracle.features)
            with closing(evaluate([arm.series], arm.blocks, draw, meter, lambda place: account.picture())) as turns:
                for _ in turns:
                    yield
            arm.store.close()
    context.tell("done", {"drawn": account.drawn})


class _Arm:
    """One model under edits, with what is known of its pictures. settle: before anything else is asked of it."""

    def __init__(self, model: str, stack: EditStack) -> None:
        self.model, self.stack = model, stack

    def settle(
        self,
        bundle: ModelBundle,
        protocol: Protocol,
        folder: Path,
        cases: Sequence[Case],
        about: Sequence[Any],
        words: LearnedWords,
    ) -> None:
        """Find what was read before. about: all else that its vectors depend on, plain values."""
        constants = [inverting.FORMAT, inverting.TRAINING_STEPS, inverting.BATCH, inverting.LR]
        identity = json.dumps([*constants, self.stack.id, *about, words.ids])
        self.digest = digest(
            protocol,
            stack=f"inverted {identity}",
            reader=version(),
            made_by=bundle.made_by(),
            side_px=bundle.default_size_px,
        )
        recipes = [protocol.recipe(case, self.model, bundle.default_size_px) for case in cases]
        self.store = FileStore(results_path(folder, self.digest))
        self.series = Series(cases, recipes, self.store)
        self.blocks = left([self.series])


@dataclass
class _Account:
    """Tells how far it is. arms: those that have to be learned for. drawn: pictures."""

    context: JobContext
    arms: Sequence[_Arm]
    drawn: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        pictures = sum(len(block) for arm in self.arms for block in arm.blocks)
        self._total = len(self.arms) * inverting.TRAINING_STEPS + pictures

    def step(self) -> None:
        """One more of a training."""
        self.steps += 1
        self._tell()

    def picture(self) -> None:
        """One more is drawn."""
        self.drawn += 1
        self._tell()

    def _tell(self) -> None:
        share = (self.steps + self.drawn) / self._total
        left_s = (time.monotonic() - self._began) * (1 - share) / share
        self.context.tell("progress", {"step": self.steps, "done": share, "left_s": round(left_s, 1)})


def _followed(steps: Generator[float, None, LearnedWords], account: _Account) -> Generator[None, None, LearnedWords]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        account.step()
        yield


def _words(bundle: ModelBundle, subject: Subject) -> LearnedWords:
    return own_words(bundle, [word for concept in subject.concepts for word in concept.called()])
