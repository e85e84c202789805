"""The kind of job "drift": divergences between models under edits, measured in the background and kept.

It gives way after every evaluation of the network. What is measured over the same pictures is kept as soon as it is
there, under what it depends on: nothing is measured twice, and a job that was stopped or killed goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

import studio
from studio.engine.edits.stack import EditStack
from studio.engine.kinds import JobContext, Steps
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.drift.files import read
from studio.training.drift.request import Pair, Request
from studio.training.drift.rows import Measured
from studio.training.drift.states import ROWS, Group, Resident, check_comparable
from studio.training.evaluate.files import Run, results_path, tidy, write_run

FORMAT = 1  # of what is kept; counted up when the same request would give other numbers


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Measure, or go on measuring.

    job: "request" (see Request), "edits" (EditRef.edit -> file), "folder" (of what is kept), "run" (hex digits that
    name this measurement).
    Tells "measure" (means so far, by pair), "progress" and "done". Raises NotFound, BadInput, AssetError, NonFinite,
    WorkspaceError where a divergence cannot be kept, and what drawing raises.
    """
    request, folder = Request.load(job["request"]), Path(str(job["folder"]))
    began = time.monotonic()
    context.tell("started", {"images": 0})
    with ExitStack() as leases:
        sides = _sides(request, job, context, leases)
        for pair in request.pairs:
            check_comparable(sides[pair.p], sides[pair.q])
        digests = {pair: _digest(request, pair, sides) for pair in request.pairs}
        write_run(folder, str(job["run"]), Run(tuple(digests.values()), torch.get_num_threads()))
        tidy(folder, tuple(digests.values()))
        measured = {pair: values for pair in request.pairs if (values := read(folder, digests[pair]))}
        account = _Account(request, measured, sides.values(), context)
        for p, prompts in dict.fromkeys((pair.p, pair.prompts) for pair in account.missing):
            pairs = {pair.q: pair for pair in account.missing if (pair.p, pair.prompts) == (p, prompts)}
            group = Group(
                sides[p],
                {q: sides[q] for q in pairs},
                tuple(request.prompts_of(next(iter(pairs.values())))),
            )
            steps = group.measure(request)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    outcomes: dict[str, Measured] = end.value
                    break
                account.evaluated()
                yield
            for q, values in outcomes.items():
                _write(folder, digests[pairs[q]], values)
                account.add(pairs[q], values)
        account.end()
    context.tell("done", {"images": 0, "seconds": round(time.monotonic() - began, 3)})


def _sides(request: Request, job: Mapping[str, Any], context: JobContext, leases: ExitStack) -> dict[str, Resident]:
    engine = context.engine
    models = dict.fromkeys(side.model for side in request.sides.values())
    edited = {side.model for side in request.sides.values() if side.edits}
    bundles = {
        model: leases.enter_context(engine.lease(model, context.should_stop, model in edited)) for model in models
    }
    sides: dict[str, Resident] = {}
    for name, side in request.sides.items():
        stack = engine.shelf.stack(side.edits, job["edits"], request.steps)
        assert isinstance(stack, EditStack), "what acts in a part of the steps is refused where the request is read"
        bundle = bundles[side.model]
        room = engine.store.most_rows(side.model, bundle.default_size_px, bundle.default_size_px)
        sides[name] = Resident(side.model, bundle, stack, min(ROWS, room or ROWS))
    return sides


def _digest(request: Request, pair: Pair, sides: Mapping[str, Resident]) -> str:
    """What a divergence is kept under: equal only where its numbers are, to rounding."""
    values = {
        "format": FORMAT,
        "kind": "drift",
        "version": studio.__version__,
        "prompts": request.prompts_of(pair),
        "settings": [request.levels, request.steps, request.sampler, request.seed],
        "sides": [_identity(sides[name]) for name in (pair.p, pair.q)],
    }
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _identity(side: Resident) -> list[str]:
    made_by = side.bundle.made_by()
    return [*(str(made_by[name]) for name in ("model_hash", "device", "dtype")), side.stack.id]


def _write(folder: Path, digest: str, values: Measured) -> None:
    try:
        write_durably(results_path(folder, digest), values.line())
    except OSError as error:
        raise workspace_error(error, "What was measured") from None


class _Account:
    """Tells how far a measurement is, and what it has measured so far."""

    def __init__(
        self,
        request: Request,
        measured: Mapping[Pair, Measured],
        sides: Iterable[Resident],
        context: JobContext,
    ) -> None:
        block = min(ROWS, *(side.rows for side in sides))
        self.missing = [pair for pair in request.pairs if pair not in measured]
        self._measured, self._pairs, self._context = dict(measured), request.pairs, context
        blocks = -(-request.pictures * request.levels // block)
        draws = -(-request.pictures // block) * request.steps
        groups = {(pair.p, pair.prompts) for pair in self.missing}
        texts = request.pictures * (len(groups) + len(self.missing))
        self._total = max(1, len(groups) * (draws + blocks) + len(self.missing) * blocks + texts)
        self._done, self._began = 0, time.monotonic()

    def evaluated(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._tell_progress()

    def add(self, pair: Pair, values: Measured) -> None:
        self._measured[pair] = values
        self._tell_means()

    def end(self) -> None:
        self._done = self._total
        self._tell_means()
        self._tell_progress()

    def _tell_means(self) -> None:
        means = {
            pair.name: sum(values.nats) / len(values.nats)
            for pair in self._pairs
            if (values := self._measured.get(pair)) is not None
        }
        self._context.tell("measure", {"step": len(means), "values": means})

    def _tell_progress(self) -> None:
        seconds = time.monotonic() - self._began
        left_s = seconds / self._done * (self._total - self._done) if self._done else 0.0
        progress = {"step": self._done, "steps": self._total, "done": self._done / self._total}
        self._context.tell("progress", {**progress, "left_s": round(left_s, 1)})
