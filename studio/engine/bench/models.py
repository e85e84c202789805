"""Models that stay: switching between two of them against loading."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from diffusers import StableDiffusionPipeline

from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.pairs import time_pairs
from studio.engine.bench.results import BenchResult
from studio.engine.runner import Engine


@CASES.register("switch")
def switch(bench: Bench) -> BenchResult:
    """Going from one resident model to another, against loading that one."""
    folder = bench.bundle.card.folder
    with tempfile.TemporaryDirectory() as place:
        twin = Path(place) / folder.name  # the same weights from another place: the engine takes it for another model
        shutil.copytree(folder, twin)
        config = bench.engine.config
        engine = Engine(replace(config, models={**config.models, "other": twin}))
        names = itertools.cycle([*config.models][:1] + ["other"])

        def ours() -> None:
            engine.bundle(next(names))

        def theirs() -> None:
            StableDiffusionPipeline.from_pretrained(str(folder), safety_checker=None, local_files_only=True).to(
                bench.bundle.device
            )

        ours()  # both are loaded before anything is timed
        timed = time_pairs(ours, theirs, bench.pairs, bench.on_pair)
    return BenchResult(
        case="switch",
        work="going to another resident model against loading it",
        **timed,
        goal=50.0,
        limit="nothing is moved or read; theirs reads 17 MB and builds the networks",
        made_by=bench.bundle.made_by(),
    )
