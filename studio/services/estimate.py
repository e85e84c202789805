"""How long pictures will take, from how long the newest ones took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, WorkspaceError
from studio.core.recipe import Recipe

if TYPE_CHECKING:
    from studio.services.jobs import JobService

LOOKED_AT = 10  # newest jobs of the ledger


def seconds_for(jobs: JobService, recipes: Sequence[Recipe]) -> float | None:
    """An estimate for drawing these one after the other; None before the first picture of their model in this run.

    By steps and pixels alone: another guidance method or sampler may take another time.
    """
    for job in jobs.newest(LOOKED_AT):
        if job.kind != "generate" or job.status != "done":
            continue
        try:
            earlier = [Recipe.load(values) for values in job.payload["recipes"]]
            if {recipe.model for recipe in earlier} != {recipe.model for recipe in recipes}:
                continue
            seconds = jobs.events(job.id)[-1].data.get("seconds")
        except (WorkspaceError, BadInput):  # NotFound, of an earlier run; or a row that cannot be read
            continue
        if seconds and (work := sum(map(_work, earlier))):
            return float(seconds) / work * sum(map(_work, recipes))
    return None


def _work(recipe: Recipe) -> int:
    return recipe.steps * recipe.width * recipe.height
