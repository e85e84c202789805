"""What a bench case is given, and the registry of cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.core.recipe import Recipe
from studio.core.registry import Registry
from studio.engine.bench.results import BenchResult, Fact
from studio.engine.config import EngineConfig
from studio.engine.runner import Engine
from studio.models.embedded import EmbeddedModel


@dataclass(frozen=True)
class Bench:
    """What a case is measured on.

    engine, bundle: warm, with the model of the recipe.
    recipe: one picture.
    pairs: timings of each side.
    on_pair: told how many pairs are done.
    """

    engine: Engine
    bundle: EmbeddedModel
    recipe: Recipe
    pairs: int
    on_pair: Callable[[int], None]

    @classmethod
    def of(cls, config: EngineConfig, recipe: Recipe, pairs: int, on_pair: Callable[[int], None]) -> Bench:
        """Load the model that the recipe names. Raises what Engine.bundle does."""
        engine = Engine(config)
        bundle = engine.bundle(recipe.model)
        assert isinstance(bundle, EmbeddedModel)
        return cls(engine, bundle, recipe, pairs, on_pair)


Case = Callable[[Bench], BenchResult | Fact]
CASES: Registry[Case] = Registry("bench case")
