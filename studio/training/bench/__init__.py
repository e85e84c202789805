"""Benchmarks of trainings: importing this package registers them beside those of drawing (studio.engine.bench)."""

from studio.training.bench import align, esd  # noqa: F401  # each registers its case
