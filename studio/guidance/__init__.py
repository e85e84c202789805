"""Guidance: how the predictions of one step become the one the solver sees. One file per method.

    from studio.guidance import GUIDANCE, build
    guidance = build(recipe.guidance)

Brings in torch and pydantic, and nothing heavier.
"""

from studio.core.registry import import_folder
from studio.guidance.base import (
    GUIDANCE,
    Guidance,
    Guided,
    NoisePoint,
    OneRound,
    Pred,
    Preds,
    Request,
    State,
    StepCtx,
    build,
    run_plan,
)
from studio.guidance.perturbation import Perturbation

import_folder(__name__)

__all__ = [
    "GUIDANCE",
    "Guidance",
    "Guided",
    "NoisePoint",
    "OneRound",
    "Perturbation",
    "Pred",
    "Preds",
    "Request",
    "State",
    "StepCtx",
    "build",
    "run_plan",
]
