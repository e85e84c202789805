"""Apps that make pictures until they are killed; targets of processes of their own."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from typing import Any

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.grids.axes import Axis
from studio.services.studio import Studio
from tests.services.waiting import wait_for
from tests.tiny_model import SIZE_PX


def draw_for_ever(settings: Settings, told: Connection, seed: int) -> None:
    """Submit one job after another, and pass on what is told of them: ("image", data), ("done", job id), ..."""
    with Studio(settings, backend="inline") as studio:
        told.send(("open", None))
        while True:
            size = {"width": SIZE_PX, "height": SIZE_PX}
            values: list[dict[str, Any]] = [
                {"prompt": "a red star", "steps": 3, "seed": seed + n, **size} for n in range(4)
            ]
            seed += 4
            job_id = studio.pictures.submit([Recipe.load(one) for one in values])
            told.send(("submitted", job_id))
            since, over = 0, False
            while not over:
                for event in studio.jobs.events(job_id, since, wait_s=1.0):
                    since, over = event.seq, event.final
                    if event.kind == "image":
                        told.send(("image", {name: event.data[name] for name in ("generation", "sha256", "path")}))
                    elif event.final:
                        told.send((event.kind, job_id))


def start_grid(settings: Settings, base: Recipe, axes: list[Axis]) -> None:
    """Start a grid, and end as one that is killed when its first picture is made."""
    with Studio(settings, backend="inline") as studio:
        job_id = studio.grids.get(studio.grids.start(base, axes)).job_id
        assert job_id is not None
        wait_for(studio, job_id, "image")
        os.kill(os.getpid(), signal.SIGKILL)
