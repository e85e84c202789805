"""Benchmarks of trainings: importing this package registers them beside those of drawing (studio.engine.bench)."""

from studio.training.bench import align  # noqa: F401  # registers its case
