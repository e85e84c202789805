"""The account of a picture: what guidance did at each step, and what the model had in mind there.

Kept where a job asks for it ("account": true). One npz. Compressing it would save a fifth, and take as long as
making all the rest of the file.

    about        JSON text: {"quantities": {name: {"label", "unit", "plot"}}, "steps", "describe", "model", "seconds"}
    sigma, t     [n] noise level s/a and time fed, of each step
    rows         [n] rows of network work asked for until then
    diag/<name>  [n] float32, NaN at steps that do not tell of it
    x0           [n, C, h, w] float16, the guided prediction of the data
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.core.recipe import Recipe
from studio.engine.trajectory import StepReport, grid_of
from studio.guidance import build
from studio.guidance.diagnostics import quantities
from studio.models.bundle import ModelBundle


class Accounts:
    """Collects the steps of a company of recipes. Called with each step's report."""

    def __init__(self, bundle: ModelBundle, recipes: Sequence[Recipe]) -> None:
        self._bundle = bundle
        self._recipes = recipes
        self._steps: dict[int, list[StepReport]] = {}
        self._x0: dict[int, list[Tensor]] = {}
        self._began = time.monotonic()

    def __call__(self, report: StepReport) -> None:
        self._steps.setdefault(report.index, []).append(report)
        self._x0.setdefault(report.index, []).append(report.x0[0].detach().to("cpu", torch.float16, copy=True))

    def take(self, index: int) -> bytes:
        """Give the file of one finished picture, and forget it."""
        recipe, steps, x0 = self._recipes[index], self._steps.pop(index), self._x0.pop(index)
        guidance, grid = build(recipe.guidance), grid_of(recipe, self._bundle)
        known_quantities = quantities(guidance)
        names = [name for name in known_quantities if any(name in step.diag for step in steps)]
        further_names = [name for step in steps for name in step.diag if name not in known_quantities]
        about: dict[str, Any] = {
            "quantities": {name: asdict(known_quantities[name]) for name in names},
            "steps": recipe.steps,
            "describe": guidance.describe(),
            "model": recipe.model,
            "seconds": round(time.monotonic() - self._began, 3),
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "about": np.array(json.dumps(about)),
            "sigma": np.array([s / a if a > 0 else np.inf for a, s in zip(grid.a, grid.s, strict=True)][: len(steps)]),
            "t": np.array(grid.timesteps[: len(steps)], dtype=np.float64),
            "rows": np.array([step.rows for step in steps]),
            "x0": torch.stack(x0).numpy(),
        }
        for name in dict.fromkeys([*names, *further_names]):
            arrays[f"diag/{name}"] = np.array([step.diag.get(name, np.nan) for step in steps], dtype=np.float32)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stubs take a flag for an array
        return file.getvalue()
