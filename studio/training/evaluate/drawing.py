"""What draws the pictures of an evaluation: a loaded model, or an engine with its edits and its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

import numpy as np
import torch

from studio.core.recipe import Recipe
from studio.engine.kinds import going_on
from studio.engine.order import SampleOptions, plain_orders
from studio.engine.sampler import sample_in_turns
from studio.models.bundle import ModelBundle
from studio.training.evaluate.meter import Picture

ROWS = 32  # of one network evaluation


class Draw(Protocol):
    """Recipes in; (index, picture) as each is finished, and None wherever something more urgent may be done."""

    def __call__(self, recipes: Sequence[Recipe], /) -> Iterator[tuple[int, Picture] | None]:
        """Draw them in company of one another. Raises what drawing does, pictures given before are whole."""
        ...


def by_bundle(bundle: ModelBundle) -> Draw:
    """Draw with a model that is loaded, without edits."""
    options = SampleOptions(max_rows=ROWS)
    return lambda recipes: sample_in_turns(bundle, plain_orders(recipes), options=options)


def by_engine(
    engine: Any,
    edits: Mapping[str, str] | None = None,
    should_stop: Callable[[], bool] = going_on,
    on_progress: Callable[[float], None] = lambda in_hand: None,
) -> Draw:
    """Draw with an engine (studio.engine.runner.Engine), as a job within the one at hand.

    edits: `EditRef.edit` -> file. on_progress: called with the work done at pictures that are not finished, in
    pictures.
    """

    def draw(recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture] | None]:
        pictures: list[tuple[int, Picture]] = []
        finished = 0

        def tell(kind: str, data: dict[str, Any]) -> None:
            nonlocal finished
            if kind == "image":
                finished += 1
                shape = (data["height"], data["width"], 3)
                pictures.append((data["image"], np.frombuffer(data["rgb"], dtype=np.uint8).reshape(shape)))
            elif kind == "progress":
                on_progress(max(0.0, data["done"] * len(recipes) - finished))

        job = {
            "kind": "generate",
            "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
            "edits": dict(edits or {}),
            "previews": False,  # nobody sees them: what is told of the job at hand is numbers
            "threads": torch.get_num_threads(),  # as many as the job at hand has, whatever others do meanwhile
        }
        with closing(engine.steps(job, tell, should_stop)) as turns:
            for _ in turns:
                yield from pictures
                pictures.clear()
                yield None
            yield from pictures

    return draw
