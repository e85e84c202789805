"""Balances of a concept's attributes: checked and queued; the edit that comes of one is among the workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.services import runs
from studio.services.estimate import seconds_for
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.training.balance.plan import METHOD, BalancePlan, read_plan
from studio.training.balance.sights import sights
from studio.training.erase.preview import Sight

KIND = METHOD


class BalanceService:
    """The balances of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources

    def check(self, plan: Mapping[str, Any]) -> BalancePlan:
        """The plan as it would be run.

        Raises BadInput, also for a model whose pictures nothing reads; NotFound, AssetError.
        """
        model = str(plan.get("model") or "")
        self._sources.card(model)
        if not self._sources.is_of_world(model):
            raise BadInput(
                f"Nothing reads what pictures of {model} show, and a balance is steered by that.",
                "Take Stencil, whose pictures are read.",
                field="model",
            )
        return read_plan(plan)

    def start(self, plan: Mapping[str, Any]) -> str:
        """Queue a balance; give the job's id. plan: plain values (studio.training.balance.plan). Raises as `check`."""
        checked = self.check(plan)
        payload = {
            "kind": KIND,
            "plan": checked.model_dump(mode="json"),
            "run": runs.new_run(),
            "what": f"balancing {checked.concept}",
        }
        work, places = runs.work_of(self._archive.workspace.root, payload)
        return self._jobs.submit(work, "background", places=places)

    def sights(self, plan: Mapping[str, Any]) -> tuple[Sight, ...]:
        """Prompts to look at a balance in: its concept several times, a neighbour, something unrelated. As `check`."""
        return sights(self.check(plan))

    def outlook(self, plan: Mapping[str, Any]) -> tuple[int, float | None]:
        """How many pictures it draws at most, and their seconds here; None where nothing says so yet. As `check`."""
        checked = self.check(plan)
        pictures = checked.rounds * checked.pictures + 2 * checked.checked
        side = self._sources.card(checked.model).default_size_px
        picture_s = seconds_for(self._jobs, [Recipe(model=checked.model, steps=checked.steps, width=side, height=side)])
        return pictures, None if picture_s is None else pictures * picture_s
