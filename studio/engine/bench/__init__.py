"""Benchmarks: ours against diffusers' own pipeline, paired and interleaved, on the same work in one process."""

from studio.engine.bench import compare, drift, edits, models, single  # noqa: F401  # each registers its cases
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.page import page
from studio.engine.bench.results import BenchResult, Fact, table

__all__ = ["CASES", "Bench", "BenchResult", "Fact", "page", "table"]
