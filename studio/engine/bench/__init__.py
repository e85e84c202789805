"""Benchmarks: ours against diffusers' own pipeline, paired and interleaved, on the same work in one process."""

from studio.engine.bench import edits, models, single  # noqa: F401  # each registers its cases
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.page import page
from studio.engine.bench.pairs import BenchResult, table

__all__ = ["CASES", "Bench", "BenchResult", "page", "table"]
