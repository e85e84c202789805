"""The engine itself: resident models on one device, and jobs turned into events. Used on one thread only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch

from studio.core.errors import Cancelled, EnvironmentProblem
from studio.engine import generate
from studio.engine.config import EngineConfig
from studio.engine.edits.shelf import EditShelf
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Run, Steps, Tell, find_kind, run_in_turns
from studio.engine.resident import base_afterwards, room_of
from studio.engine.threads import Crowd, are_settled, processors
from studio.models.bundle import ModelBundle
from studio.models.listing import Places

if TYPE_CHECKING:
    from studio.engine.residency import ModelStore

_OWN_KINDS: dict[str, Run] = {"generate": generate.run}  # others are told by address: engine/kinds.py
_SOON_HASHED_BYTES = 256 * 1024**2  # of weights: fingerprints take a tenth of a second; of larger ones when needed


class Engine:
    """Loads models when a job needs them and keeps them."""

    def __init__(self, config: EngineConfig, crowd: Crowd | None = None) -> None:
        """Settle the device. Raises EnvironmentProblem if the one asked for is absent.

        crowd: what other programs take of the processors; with one, and where nobody has said how many threads there
        are, a job on CPU has as many as it asks for ("threads"), or as there is room for when it begins.
        """
        self.config = config
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = pick_device(config.device)
        is_open = config.threads is None and self.device.type == "cpu" and not are_settled()
        self._in_use: list[ModelBundle] = []  # by jobs under way
        self._crowd, self._most_threads = crowd if is_open else None, torch.get_num_threads()
        self.shelf = EditShelf()
        self._made_by: dict[str, Any] = {}
        self._weights: dict[str, Any] = {}
        self.default_size_px = 128

    @cached_property
    def store(self) -> ModelStore:
        """The resident models."""
        from studio.engine.residency import ModelStore  # seconds of imports: only when there is a model to load

        config = self.config
        return ModelStore(
            Places(config.models, config.models_dir),
            self.device,
            config.dtype,
            config.memory_budget,
            require_checksums=config.require_checksums,
        )

    def bundle(self, name: str) -> ModelBundle:
        """Give a model, loading it if it is not resident, without holding it: a later job may evict it.

        Raises NotFound, AssetError, OutOfMemory.
        """
        return self.note(self.store.bundle(name))

    def note(self, bundle: ModelBundle) -> ModelBundle:
        """Keep what is told of a model later, in place of the model: a reference would keep its memory. Gives it."""
        parts = self.store.table()
        if bundle.made_by() != self._made_by:
            small = sum(part.bytes for part in parts) <= _SOON_HASHED_BYTES
            self._weights = {"bases": room_of(bundle).fingerprints()} if small else {}
        self._made_by, self.default_size_px = bundle.made_by(), bundle.default_size_px
        self._weights["resident"] = [asdict(part) for part in parts]
        return bundle

    def made_by(self) -> dict[str, Any]:
        """What pictures are made by: model hash, versions, device; {} before a model is loaded.

        And of its weights, once that was measured: "bases", the fingerprint of each component; "equals_base", whether
        they were the base again after the latest job with edits, bit for bit. "resident": the parts in memory.
        """
        return {**self._made_by, **self._weights}

    def run(self, job: Mapping[str, Any], tell: Tell, should_stop: Callable[[], bool]) -> None:
        """Run a job to its end, telling as it goes.

        Raises what `sample` and `bundle` do, OutOfMemory with something smaller to try; the engine can be used on.
        """
        run_in_turns(self.steps(job, tell, should_stop), should_stop)

    def steps(self, job: Mapping[str, Any], tell: Tell, should_stop: Callable[[], bool]) -> Steps:
        """Run a job bit by bit: wherever this generator yields, another job may run. Raises what `run` does."""
        # A job that gave way has left its edits in force, and may share parts with the model of this one. Its next
        # evaluation puts them back.
        for bundle in self._in_use:
            room_of(bundle).use(EMPTY)
        threads = self._threads_for(job)
        kind = str(job["kind"])
        run = _OWN_KINDS.get(kind) or find_kind(kind, self.config.kinds)
        with closing(run(job, JobContext(self, tell, should_stop))) as steps:
            go_on = partial(next, steps)
            while True:
                if threads is not None:  # another job may have run since, with a number of its own
                    torch.set_num_threads(threads)
                try:
                    go_on()
                except StopIteration:
                    return
                go_on = partial(next, steps)
                try:
                    yield
                except Cancelled as stopped:  # the job may have something to hand over
                    go_on = partial(steps.throw, stopped)

    def _threads_for(self, job: Mapping[str, Any]) -> int | None:
        """How many threads a job has from its first picture to its last; None where that is settled for all."""
        if self._crowd is None:
            return None
        wished = job.get("threads")
        return wished if wished and wished <= processors() else self._crowd.threads(self._most_threads)

    @contextmanager
    def lease(self, name: str, should_stop: Callable[[], bool], is_edited: bool) -> Iterator[ModelBundle]:
        """Hold a model to draw with it, a job beside others: afterwards its weights are the base.

        is_edited: whether they are edited within it; then it is measured that they are the base again.
        Raises as `ModelStore.lease`.
        """
        with self.store.lease(name, should_stop) as bundle:
            self._in_use.append(bundle)
            try:
                with base_afterwards(bundle):
                    yield bundle
                if is_edited:
                    room = room_of(bundle)
                    self._weights |= {"bases": room.fingerprints(), "equals_base": room.equals_base()}
            finally:
                self._in_use.remove(bundle)


def pick_device(choice: str) -> torch.device:
    """Give the device: "auto" is cuda, then mps, then cpu. Raises EnvironmentProblem if it is absent."""
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if have[name]))
    if not have[choice]:
        raise EnvironmentProblem(f"There is no {choice} device on this machine.", "Take --device cpu.")
    return torch.device(choice)
