"""Guidance: how the predictions of one step become the one the solver sees. One file per method.

    from studio.guidance import GUIDANCE, build
    guidance = build(recipe.guidance)

Brings in torch and pydantic, and nothing heavier.
"""

from studio.core.registry import import_folder
from studio.guidance.asking import Asks, asks_of
from studio.guidance.base import (
    GUIDANCE,
    Guidance,
    Guided,
    OneRound,
    Request,
    State,
    StepCtx,
    run_plan,
)
from studio.guidance.building import build, build_method, spoken
from studio.guidance.perturbation import Perturbation
from studio.guidance.prediction import NoisePoint, Pred, Preds
from studio.guidance.presets import read_preset

import_folder(__name__)

__all__ = [
    "GUIDANCE",
    "Asks",
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
    "asks_of",
    "build",
    "build_method",
    "read_preset",
    "run_plan",
    "spoken",
]
