"""The engine itself: resident models on one device, and jobs turned into events. Used on one thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from studio.core.errors import EnvironmentProblem, NotFound, OutOfMemory
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.kinds import JobContext, Steps, Tell, find_kind, run_in_turns
from studio.engine.sampler import sample
from studio.engine.trajectory import StepReport
from studio.engine.trouble import SMALLER, is_out_of_memory
from studio.models.bundle import ModelBundle

PREVIEWS_PER_S = 8

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Engine:
    """Loads models when a job needs them and keeps them."""

    def __init__(self, config: EngineConfig) -> None:
        """Settle the device. Raises EnvironmentProblem if the one asked for is absent."""
        self.config = config
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = pick_device(config.device)
        # auto is float32 everywhere: the embedded model is small, and the same picture on every device matters more.
        self.dtype = _DTYPES["fp32" if config.dtype == "auto" else config.dtype]
        self._bundles: dict[str, ModelBundle] = {}
        self._last: ModelBundle | None = None

    def bundle(self, name: str) -> ModelBundle:
        """Give a model, loading it if it is not resident. Raises NotFound, AssetError, OutOfMemory."""
        if name not in self._bundles:
            folder = self.config.models.get(name)
            if folder is None:
                raise NotFound(f"There is no model named {name[:60]!r}; there are {', '.join(self.config.models)}.")
            from studio.models.embedded import load_stencil  # seconds of imports: only when there is a model to load

            self._bundles[name] = load_stencil(
                folder, self.device, self.dtype, name=name, require_checksums=self.config.require_checksums
            )
        self._last = self._bundles[name]
        return self._last

    def made_by(self) -> dict[str, Any]:
        """What pictures are made by: model hash, versions, device; {} before a model is loaded."""
        return self._last.made_by() if self._last else {}

    def run(self, job: Mapping[str, Any], tell: Tell, should_stop: Callable[[], bool]) -> None:
        """Run a job to its end, telling as it goes.

        Raises what `sample` and `bundle` do, OutOfMemory with something smaller to try; the engine can be used on.
        """
        run_in_turns(self.steps(job, tell, should_stop), should_stop)

    def steps(self, job: Mapping[str, Any], tell: Tell, should_stop: Callable[[], bool]) -> Steps:
        """Run a job bit by bit: wherever this generator yields, another job may run. Raises what `run` does."""
        if job["kind"] != "generate":
            yield from find_kind(str(job["kind"]), self.config.kinds)(job, JobContext(self, tell, should_stop))
            return
        recipes = [Recipe.load(values) for values in job["recipes"]]
        try:
            yield from self._generate(recipes, tell, should_stop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            largest = max(recipes, key=lambda recipe: recipe.width * recipe.height)
            raise OutOfMemory(
                f"There was not enough memory on {self.device.type} for {largest.width} x {largest.height} pixels.",
                self._smaller(largest),
            ) from None
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _generate(self, recipes: list[Recipe], tell: Tell, should_stop: Callable[[], bool]) -> Steps:
        """Yields between two pictures."""
        tell("started", {"images": len(recipes)})
        began = time.monotonic()
        progress = _Progress(recipes, tell, self.config.previews)
        made = 0
        for name in dict.fromkeys(recipe.model for recipe in recipes):
            mine = [index for index, recipe in enumerate(recipes) if recipe.model == name]
            bundle = self.bundle(name)
            progress.begin(bundle, mine)
            pictures = sample(bundle, [recipes[i] for i in mine], progress, should_stop, self.config.max_rows)
            for local, picture in pictures:
                index = mine[local]
                made += 1
                tell(
                    "image",
                    {
                        "image": index,
                        "recipe": recipes[index].model_dump(mode="json"),
                        "made_by": bundle.made_by(),
                        "rgb": picture.tobytes(),
                        "width": picture.shape[1],
                        "height": picture.shape[0],
                        "seconds": round(time.monotonic() - began, 3),
                    },
                )
                if made < len(recipes):
                    yield
        tell("done", {"images": made, "seconds": round(time.monotonic() - began, 3)})

    def _smaller(self, recipe: Recipe) -> str:
        size = self._last.default_size_px if self._last else 128
        if recipe.width * recipe.height > size * size:
            return f"Take {max(size, recipe.width // 16 * 8)} x {max(size, recipe.height // 16 * 8)}."
        return SMALLER


class _Progress:
    """Turns the loop's steps into progress with an estimate of the time left, and now and then a preview."""

    def __init__(self, recipes: list[Recipe], tell: Tell, previews: bool) -> None:
        self._previews = previews
        self._recipes = recipes
        self._tell = tell
        self._total = sum(recipe.steps for recipe in recipes)
        self._done = 0
        self._timed_from = 0.0
        self._previewed = 0.0
        self._told = 0.0
        self._mine: list[int] = []
        self._bundle: ModelBundle | None = None

    def begin(self, bundle: ModelBundle, mine: list[int]) -> None:
        """What follows is of this model and these recipes."""
        self._bundle, self._mine = bundle, mine
        # Loading a model is part of the job and not of this clock.
        if not self._done:
            self._timed_from = time.monotonic()

    def __call__(self, report: StepReport) -> None:
        now = time.monotonic()
        self._done += 1
        image = self._mine[report.index]
        left_s = (now - self._timed_from) / self._done * (self._total - self._done)
        # A thousand steps of a tiny model would flood the pipe: at most 50 a second, but always the last.
        if now - self._told > 0.02 or report.step == report.steps:
            self._told = now
            self._tell(
                "progress",
                {
                    "image": image,
                    "images": len(self._recipes),
                    "step": report.step,
                    "steps": report.steps,
                    "left_s": round(left_s, 2),
                    "done": round(self._done / self._total, 6),
                },
            )
        due = self._previews and now - self._previewed > 1 / PREVIEWS_PER_S
        if due and self._bundle is not None and report.step < report.steps:
            self._previewed = now
            self._tell("preview", {"image": image, "png": self._bundle.preview_map.png(report.x0[0])})


def pick_device(wanted: str) -> torch.device:
    """Give the device: "auto" is cuda, then mps, then cpu. Raises EnvironmentProblem if it is absent."""
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if have[name]))
    if not have[wanted]:
        raise EnvironmentProblem(f"There is no {wanted} device on this machine.", "Take --device cpu.")
    return torch.device(wanted)
