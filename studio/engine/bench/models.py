"""Models that stay: switching between two of them against loading, and what a preview costs."""

from __future__ import annotations

from diffusers import StableDiffusionPipeline

from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.pairs import BenchResult, time_pairs


@CASES.register("switch")
def switch(bench: Bench) -> BenchResult:
    """Going to another model that is resident, against loading it."""
    folder, names = str(bench.bundle.card.folder), list(bench.engine.config.models)
    turn = iter(int, 1)  # endless

    def ours() -> None:
        next(turn)
        bench.engine.bundle(names[0])

    def theirs() -> None:
        StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True).to(
            bench.bundle.device
        )

    timed = time_pairs(ours, theirs, bench.pairs, bench.on_pair)
    return BenchResult(
        case="switch",
        what="going to a resident model against loading it",
        **timed,
        goal=50.0,
        limit="nothing is moved or read; theirs reads 17 MB and builds the networks",
        made_by=bench.bundle.made_by(),
    )
