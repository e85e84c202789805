"""Trainings of a few steps on small models, without what would take nearly all of so short a one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.diffusion.predictions import Loss
from studio.models.files import ModelFiles
from studio.training.align import trained as aligned
from studio.training.erase import trained as erased
from studio.training.lora import memory
from studio.training.lora.memory import TrainingDemand, rows_of
from studio.training.lora.plan import Plan

FEW = 4


@pytest.fixture(scope="module", autouse=True)
def quick_trainings() -> Iterator[None]:
    """Plans of one shape have their memory counted once; a look tries few noises, and few prompts are kept."""
    known: dict[tuple[object, ...], TrainingDemand] = {}
    count = memory.training_demand

    def counted_once(files: ModelFiles, plan: Plan, loss: Loss, dtype: str) -> TrainingDemand:
        shape = (
            files.card.folder,
            files.card.checkpoint,
            dtype,
            plan.layers,
            plan.rank,
            bool(plan.ema),
            *rows_of(plan, loss),
        )
        if shape not in known:
            known[shape] = count(files, plan, loss, dtype)
        return known[shape]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "training_demand", counted_once)
        patch.setattr(aligned, "LEAST_TRIED", FEW)
        patch.setattr(erased, "RETAINED", FEW)
        yield
