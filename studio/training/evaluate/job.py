"""The kind of job "evaluate": suites drawn under stacks of edits, read, and kept.

It works in the background and gives way after every evaluation of the network. What it measured is kept batch by batch,
so that one that was stopped or killed goes on where it was, and one whose pictures are all known draws none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from studio.engine.edits.stack import EditStack
from studio.engine.edits.timed import Stack
from studio.engine.kinds import JobContext, Steps
from studio.engine.weak import asks_weak
from studio.models.bundle import ModelBundle
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_engine
from studio.training.evaluate.evaluator import Place, Series, evaluate, left
from studio.training.evaluate.files import Run, results_path, tidy, write_run
from studio.training.evaluate.meter import Meter
from studio.training.evaluate.protocol import digest
from studio.training.evaluate.request import Request, label
from studio.training.evaluate.store import FileStore
from studio.world.oracle import Oracle, version

MEASURE_EVERY_S = 0.25


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Evaluate, or go on evaluating.

    job: "request" (see Request), "cases" (suite -> its cases, Case.plain), "edits" (EditRef.edit -> file), "folder" (of
    the results), "run" (hex digits that name this evaluation), "oracle" (whether the model's pictures can be read).
    Tells "measure" (shares so far, by suite and stack), "progress", and "done" (with "drawn", of its
    own pictures). Raises NotFound, BadInput, AssetError, WorkspaceError where its last results cannot be kept, and what
    drawing raises.
    """
    engine, tell = context.engine, context.tell
    request, folder = Request.load(job["request"]), Path(str(job["folder"]))
    oracle = Oracle.load() if job["oracle"] else None
    meter = Meter() if oracle is None else Meter(oracle.read, oracle.features)
    tell("started", {"images": 0})
    began = time.monotonic()
    with ExitStack() as leases:
        bundle = leases.enter_context(engine.store.lease(request.model, context.should_stop))
        digests = [_digest(request, place, bundle, job, context) for place in range(len(request.stacks))]
        write_run(folder, str(job["run"]), Run(tuple(digests), torch.get_num_threads()))
        tidy(folder, digests)
        cases = {name: [Case.load(plain_case) for plain_case in values] for name, values in job["cases"].items()}
        series = _Series(request, cases, [results_path(folder, key) for key in digests], bundle.default_size_px)
        blocks = left(series.all)
        account = _Account(series, sum(map(len, blocks)), context)
        draw = by_engine(engine, job["edits"], context.should_stop, account.progress)
        for grown in evaluate(series.all, blocks, draw, meter, account.picture):
            if grown is not None:
                account.grown(grown)
            yield
        for store in series.stores:
            store.close()
        account.end()
    tell("done", {"images": 0, "drawn": account.drawn, "seconds": round(time.monotonic() - began, 3)})


class _Series:
    """The series of a request: every suite under every stack. labels: of each, for measures.

    paths: where each stack's results are kept. Stacks that come to the same, such as one whose only edit is off and
    none, share theirs, and a suite is drawn once under all of them.
    """

    def __init__(self, request: Request, cases: Mapping[str, list[Case]], paths: list[Path], side_px: int) -> None:
        self.all: list[Series] = []
        self.labels: list[str] = []
        stores: dict[Path, FileStore] = {}
        taken: set[tuple[Path, str]] = set()
        for place, (stack, path) in enumerate(zip(request.stacks, paths, strict=True)):
            if path not in stores:
                stores[path] = FileStore(path)
            for part in request.parts:
                if not part.is_under(place) or (path, part.suite) in taken:
                    continue
                taken.add((path, part.suite))
                suite_cases = cases[part.suite]
                recipes = [
                    request.protocol_of(place).recipe(case, request.model, side_px, stack) for case in suite_cases
                ]
                self.all.append(Series(suite_cases, recipes, stores[path]))
                self.labels.append(f"{part.suite}, {label(stack)}")
        self.stores = list(stores.values())


class _Account:
    """Tells how far an evaluation is, and what it has measured so far. drawn: pictures, by this job."""

    def __init__(self, series: _Series, to_draw: int, context: JobContext) -> None:
        self._series, self._to_draw, self._context = series, to_draw, context
        self._total = sum(len(part.cases) for part in series.all)
        self.drawn, self._began, self._told_at = 0, time.monotonic(), 0.0
        self._values: dict[str, float] = {}

    def picture(self, place: Place) -> None:
        """One more is drawn."""
        self.drawn += 1
        self.progress()

    def progress(self, in_hand: float = 0.0) -> None:
        """in_hand: the work done at pictures that are not finished, in pictures."""
        pictures, done_now = self._total - self._to_draw + self.drawn, self.drawn + in_hand
        data: dict[str, Any] = {"step": pictures, "steps": self._total, "done": (pictures + in_hand) / self._total}
        if done_now:
            seconds = time.monotonic() - self._began
            data["left_s"] = round(seconds / done_now * (self._to_draw - done_now), 1)
        if trouble := next((store.trouble for store in self._series.stores if store.trouble), ""):
            data["trouble"] = trouble
        self._context.tell("progress", data)

    def grown(self, series: Series) -> None:
        """A series has more results."""
        self._note(series)
        if time.monotonic() - self._told_at >= MEASURE_EVERY_S:
            self._tell_measures()

    def end(self) -> None:
        """Everything is measured."""
        for series in self._series.all:
            self._note(series)
        self._tell_measures()
        self.progress()

    def _note(self, series: Series) -> None:
        results = series.results()
        values = {
            "as stated": [float(result.is_right) for result in results if result.is_right is not None],
            "saturation": [result.facts.tones["saturation"] for result in results],
        }
        name = "as stated" if values["as stated"] else "saturation"
        label = self._series.labels[self._series.all.index(series)]
        self._values[f"{label}: {name}"] = sum(values[name]) / len(values[name])

    def _tell_measures(self) -> None:
        self._told_at = time.monotonic()
        pictures = self._total - self._to_draw + self.drawn
        self._context.tell("measure", {"step": pictures, "values": dict(self._values)})


def _digest(request: Request, place: int, bundle: ModelBundle, job: Mapping[str, Any], context: JobContext) -> str:
    """What the results of the stack at one place are kept under."""
    made_by, protocol = bundle.made_by(), request.protocol_of(place)
    plain = protocol.recipe(Case("", 0, negative="-"), request.model, bundle.default_size_px)
    if asks_weak(plain):
        with context.engine.store.lease_early(request.model, context.should_stop) as weak:
            made_by["weak_hash"] = None if weak is None else weak.model_hash
    return digest(
        protocol,
        stack=_identity(context.engine.shelf.stack(request.stacks[place], job["edits"], protocol.steps)),
        reader=version() if job["oracle"] else None,
        made_by=made_by,
        side_px=bundle.default_size_px,
    )


def _identity(stack: Stack) -> str:
    """Of the edits in force, whatever they are called and in whatever order they come; "" where there are none."""
    if isinstance(stack, EditStack):
        return stack.id
    entries = zip(stack.whole.entries, stack.windows, strict=True)
    acting = sorted((edit.sha256, strength, steps.start, steps.stop) for (edit, strength), steps in entries)
    return json.dumps([acting, sorted(stack.auto)])
