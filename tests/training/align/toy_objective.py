"""An objective that makes its winners worse with every step, on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from studio.alignment.errors import PairObjective
from studio.diffusion.predictions import Prediction


class Worse(PairObjective):
    """Away from the base, in whichever direction its outputs can be made smaller."""

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """away: falls without an end."""
        return {"away": predictions["winner/student"].raw.mean()}

    def measures(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """winner error: 1 of the base, and more by how far it is from there."""
        gap = predictions["winner/student"].raw - predictions["winner/frozen"].raw
        return {"winner error": 1 + gap.square().mean()}


class Breaks(PairObjective):
    """Gives no number once the student has left the base."""

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """preference: what is preferred becomes likelier, until it is none."""
        gap = (predictions["winner/student"].raw - predictions["winner/frozen"].raw).square().mean()
        return {
            "preference": predictions["winner/student"].raw.mean() + (torch.nan if float(gap.detach()) > 0 else 0.0)
        }
