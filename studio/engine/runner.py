"""The engine itself: resident models on one device, and jobs turned into events. Used on one thread only."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch

from studio.core.errors import Cancelled, EnvironmentProblem, OutOfMemory
from studio.core.recipe import LIVE, Recipe
from studio.engine.account import Accounts
from studio.engine.ahead import why_wide, widest
from studio.engine.config import EngineConfig
from studio.engine.edits.format import Edit
from studio.engine.edits.gates import build_gate
from studio.engine.edits.shelf import EditShelf
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.timed import Stack
from studio.engine.kinds import JobContext, Steps, Tell, find_kind, heed, run_in_turns
from studio.engine.memory import give_back
from studio.engine.progress import Progress
from studio.engine.resident import base_afterwards, room_of
from studio.engine.sampler import sample_in_turns
from studio.engine.threads import Crowd, are_settled, processors
from studio.engine.trajectory import StepReport
from studio.engine.trouble import SMALLER, is_out_of_memory
from studio.engine.weak import asks_weak, no_weak
from studio.models.bundle import ModelBundle
from studio.models.listing import Places
from studio.prompts.conditions import Said

if TYPE_CHECKING:
    from studio.engine.residency import ModelStore

OnStep = Callable[[StepReport], None]
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
        self._default_size_px = 128

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
        return self._noted(self.store.bundle(name))

    def _noted(self, bundle: ModelBundle) -> ModelBundle:
        # What is told of a model later, in place of the model: a reference would keep its memory.
        parts = self.store.table()
        if bundle.made_by() != self._made_by:
            small = sum(part.bytes for part in parts) <= _SOON_HASHED_BYTES
            self._weights = {"bases": room_of(bundle).fingerprints()} if small else {}
        self._made_by, self._default_size_px = bundle.made_by(), bundle.default_size_px
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
        with closing(self._steps(job, tell, should_stop)) as steps:
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

    def _steps(self, job: Mapping[str, Any], tell: Tell, should_stop: Callable[[], bool]) -> Steps:
        if job["kind"] != "generate":
            yield from find_kind(str(job["kind"]), self.config.kinds)(job, JobContext(self, tell, should_stop))
            return
        recipes = [Recipe.load(values) for values in job["recipes"]]
        try:
            stacks: list[Stack] = []
            for recipe in recipes:
                heed(should_stop)  # an edit's file may be large
                stacks.append(self.shelf.stack(recipe.edits, job.get("edits", {}), recipe.steps))
            yield from self._generate(recipes, stacks, _of_origin(job, tell), should_stop, bool(job.get("account")))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # The error holds the frames it came through, and these hold all that there was no room for.
            traceback.clear_frames(error.__traceback__)
            give_back(self.device)
            largest = max(recipes, key=lambda recipe: recipe.width * recipe.height)
            raise OutOfMemory(
                f"There was not enough memory on {self.device.type} for {largest.width} x {largest.height} pixels.",
                self._smaller(largest),
            ) from None
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _generate(
        self,
        recipes: list[Recipe],
        stacks: list[Stack],
        tell: Tell,
        should_stop: Callable[[], bool],
        account: bool,
    ) -> Steps:
        """Yields after every evaluation of the network. account: tell with each what guidance did at its steps."""
        tell("started", {"images": len(recipes)})
        began = time.monotonic()
        progress = Progress(recipes, tell, self.config.previews)
        pictures = 0
        for name in dict.fromkeys(recipe.model for recipe in recipes):
            mine = [index for index, recipe in enumerate(recipes) if recipe.model == name]
            max_rows = self._check_memory(name, [recipes[index] for index in mine], should_stop)
            with ExitStack() as leases:
                bundle = leases.enter_context(self.store.lease(name, should_stop))
                self._in_use.append(bundle)
                leases.callback(self._in_use.remove, bundle)
                leases.enter_context(self._proved(bundle, any(stacks[i].whole.entries for i in mine)))
                weak = self._weak(leases, name, [recipes[index] for index in mine], should_stop)
                progress.begin(self._noted(bundle), mine)
                accounts = Accounts(bundle, [recipes[i] for i in mine]) if account else None
                turns = sample_in_turns(
                    bundle,
                    [recipes[i] for i in mine],
                    progress if accounts is None else _both(accounts, progress),
                    should_stop,
                    max_rows,
                    [self._gated(bundle, recipes[i], stacks[i]) for i in mine],
                    weak,
                    diagnose=account,
                )
                for turn in turns:
                    if turn is None:
                        yield
                        continue
                    local, picture = turn
                    index = mine[local]
                    pictures += 1
                    tell(
                        "image",
                        {
                            "image": index,
                            "recipe": recipes[index].model_dump(mode="json"),
                            "made_by": _made_by(bundle, weak, recipes[index], stacks[index]),
                            "rgb": picture.tobytes(),
                            "width": picture.shape[1],
                            "height": picture.shape[0],
                            "seconds": round(time.monotonic() - began, 3),
                            **({} if accounts is None else {"account": accounts.take(local)}),
                        },
                    )
        tell("done", {"images": pictures, "seconds": round(time.monotonic() - began, 3)})

    def _gated(self, bundle: ModelBundle, recipe: Recipe, stack: Stack) -> Stack:
        """The stack with the strengths that its gates give this prompt. Raises BadInput for an edit without one."""
        if isinstance(stack, EditStack) or not stack.auto:
            return stack

        def share(edit: Edit) -> float:
            return build_gate(edit.name, edit.provenance, self.config.gates).strength(recipe.prompt, bundle)

        room_of(bundle).use(EMPTY)  # a gate reads the prompt as the base does
        return stack.gated(share)

    def _weak(
        self, leases: ExitStack, name: str, recipes: list[Recipe], should_stop: Callable[[], bool]
    ) -> ModelBundle | None:
        """The early checkpoint of the model, held, if one of the recipes asks it. Raises BadInput if there is none."""
        asking = next((recipe for recipe in recipes if asks_weak(recipe)), None)
        if asking is None:
            return None
        weak = leases.enter_context(self.store.lease_early(name, should_stop))
        if weak is None:
            raise no_weak(name, asking.guidance)
        return weak

    @contextmanager
    def _proved(self, bundle: ModelBundle, edited: bool) -> Iterator[None]:
        """Afterwards the weights are the base; if they were edited within it, that is measured too."""
        with base_afterwards(bundle):
            yield
        if edited:
            room = room_of(bundle)
            self._weights |= {"bases": room.fingerprints(), "equals_base": room.equals_base()}

    def _check_memory(self, name: str, recipes: list[Recipe], should_stop: Callable[[], bool]) -> int:
        """Raise OutOfMemory for what this device can never hold, before anything is loaded for it.

        Gives how many rows of these pictures may run together: no more than there is room for.
        """
        card, count = self.store.card(name), self.store.chunks(name)

        def chunks(text: Said) -> int:  # tokenised to be counted, which takes long texts milliseconds each
            heed(should_stop)
            return count(text)

        alike = dict.fromkeys(recipe.model_copy(update={"seed": 0, "variation_seed": None}) for recipe in recipes)
        rows = {recipe: min(widest(recipe, card, chunks), self.config.max_rows) for recipe in alike}
        hardest = max(rows, key=lambda recipe: rows[recipe] * recipe.width * recipe.height)
        largest = max(rows, key=lambda recipe: recipe.width * recipe.height)  # one picture is decoded at a time
        for extreme in (hardest, largest):
            self.store.check_fits(name, rows[extreme], extreme.width, extreme.height, why_wide(extreme))
        room = self.store.most_rows(name, largest.width, largest.height)
        # Never fewer than one picture asks for at once: alone it has been found to fit, and where its evaluations are
        # split must not depend on its company.
        return self.config.max_rows if room is None else min(self.config.max_rows, max(room, *rows.values()))

    def _smaller(self, recipe: Recipe) -> str:
        size = self._default_size_px
        if recipe.width * recipe.height > size * size:
            return f"Take {max(size, recipe.width // 16 * 8)} x {max(size, recipe.height // 16 * 8)}."
        return SMALLER


def _made_by(bundle: ModelBundle, weak: ModelBundle | None, recipe: Recipe, stack: Stack) -> dict[str, Any]:
    """unfinished: of each edit that was still being trained, the steps it had by then."""
    made_by = bundle.made_by()
    if weak is not None and asks_weak(recipe):
        made_by["weak_hash"] = weak.model_hash
    if any(ref.edit.startswith(LIVE) for ref in recipe.edits):
        used = zip((ref.edit for ref in recipe.edits if ref.strength), stack.whole, strict=True)
        made_by["unfinished"] = {ref: edit.provenance["steps"] for ref, (edit, _) in used if ref.startswith(LIVE)}
    return made_by


def _of_origin(job: Mapping[str, Any], tell: Tell) -> Tell:
    """Tells with every picture what it was drawn for, where the job says so."""
    if "origin" not in job:
        return tell
    return lambda kind, data: tell(kind, {**data, "origin": job["origin"]} if kind == "image" else data)


def _both(first: OnStep, second: OnStep) -> OnStep:
    def on_step(report: StepReport) -> None:
        first(report)
        second(report)

    return on_step


def pick_device(choice: str) -> torch.device:
    """Give the device: "auto" is cuda, then mps, then cpu. Raises EnvironmentProblem if it is absent."""
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if have[name]))
    if not have[choice]:
        raise EnvironmentProblem(f"There is no {choice} device on this machine.", "Take --device cpu.")
    return torch.device(choice)
