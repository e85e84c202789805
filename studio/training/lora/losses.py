"""Losses by name: the engine knows the address of each, and a training builds the one its plan names.

What a loss is, and all it is given: studio/diffusion/predictions.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from studio.core.errors import BadInput, NotFound
from studio.core.params import load
from studio.diffusion.predictions import Loss, Measured, Numbered, Prediction


def build_loss(name: str, params: Mapping[str, Any], addresses: Mapping[str, str]) -> Loss:
    """Make the loss of a name with its parameters. addresses: name -> "module:class".

    Raises NotFound for a name without an address, BadInput for a parameter that it has not or that is out of range, or
    where nothing in it learns.
    """
    address = addresses.get(name)
    if address is None:
        raise NotFound(f"There is no loss named {name[:60]!r}.", field="loss")
    module, _, attribute = address.partition(":")
    loss: Loss = load(getattr(importlib.import_module(module), attribute), params, f"loss {name}")
    if not any(need.by == "student" for need in loss.needs):
        raise BadInput(f"The loss {name!r} asks the edit that learns for nothing.", field="loss")
    return loss


def terms_of(loss: Loss, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts of a loss by name; it is given the numbers of its rows where it asks for any."""
    if isinstance(loss, Numbered):
        return dict(cast("Numbered", loss).terms(predictions, numbers))
    return dict(loss.terms(predictions))


def measures_of(loss: Loss, predictions: Mapping[str, Prediction]) -> dict[str, float]:
    """What a loss has to show besides its terms."""
    if not isinstance(loss, Measured):
        return {}
    with torch.no_grad():
        return {name: float(value) for name, value in loss.measures(predictions).items()}
