"""What every objective here is made of: how wrong a prediction is about a stored picture, one number for each picture.

    e = mean over elements of (prediction - target)²,    s = e of the student - e of the reference

The mean, not the sum: it is what the strengths (beta) of the published recipes are set to. In which space the gap is
taken is a choice of weight over noise levels: of a network of velocities (a² + s² = 1) the error in noise is a² of that
in velocity, and the error in data s² of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from studio.alignment.columns import LOSER, PROMPT
from studio.core.params import Params, param
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.predictions import STATE, By, Need, Prediction

WINNER = STATE  # the state of the picture that was preferred
SIDES = ("winner", "loser")
Space = Literal["native", "eps", "x0"]


def needs_of(sides: Mapping[str, tuple[str, str]], by: Sequence[By]) -> tuple[Need, ...]:
    """Needs named "<side>/<by>". sides: name -> (column of its prompt, state). by: whom to ask; the truth last."""
    return tuple(Need(f"{side}/{who}", who, *place) for who in by for side, place in sides.items())


def error(predictions: Mapping[str, Prediction], side: str, by: By, space: Space = "native") -> Tensor:
    """How wrong somebody is about a side, [B], float32 or better. The reference's has no gradient.

    space: in which the gap is taken; native is what the network itself puts out.
    """
    prediction, truth = predictions[f"{side}/{by}"], predictions[f"{side}/truth"]
    match space:
        case "native":
            gap = prediction.raw.to(truth.eps.dtype) - _raw(prediction.kind, truth)
        case "eps":
            gap = prediction.eps - truth.eps
        case "x0":
            gap = prediction.x0 - truth.x0
    errors = gap.square().flatten(1).mean(1)
    return errors.detach() if by == "frozen" else errors


def gain(predictions: Mapping[str, Prediction], side: str, space: Space = "native") -> Tensor:
    """How much less wrong the student is about a side than the reference, [B]."""
    return error(predictions, side, "frozen", space) - error(predictions, side, "student", space)


def _raw(kind: Parameterisation, truth: Prediction) -> Tensor:
    """What a network of this kind would put out that knew the noise."""
    match kind:
        case "epsilon":
            return truth.eps
        case "v_prediction":
            return truth.a * truth.eps - truth.s * truth.x0
        case "flow":
            return truth.eps - truth.x0
        case "sample":
            return truth.x0


class PairObjective(Params):
    """An objective over a winner and a loser of one prompt, with one noise and one time for both."""

    space: Space = param("native", help="where errors are taken: what the network puts out, noise or data")

    @property
    def sides(self) -> Mapping[str, tuple[str, str]]:
        """Name -> its prompt's column and its state."""
        return {"winner": (PROMPT, WINNER), "loser": (PROMPT, LOSER)}

    @property
    def has_reference(self) -> bool:
        """Whether the base is asked too."""
        return True

    @property
    def numbers(self) -> Mapping[str, float]:
        """weight: what the row's label counts."""
        return {"weight": 1.0}

    @property
    def needs(self) -> Sequence[Need]:
        """Both sides, of the student, of the base where it is the reference, and of the truth."""
        by: tuple[By, ...] = ("student", "frozen", "truth") if self.has_reference else ("student", "truth")
        return needs_of(self.sides, by)

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The parts of the loss by name."""
        raise NotImplementedError

    def margin(self, predictions: Mapping[str, Prediction]) -> Tensor:
        """How much more the student has gained on the winner than on the loser, [B]."""
        return gain(predictions, "winner", self.space) - gain(predictions, "loser", self.space)

    def measures(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """Errors of both sides, beside the reference's; the margin, and how often it is above 0 (equal counts half).

        A winner's error above the reference's is displacement: the model gets worse at what was preferred.
        """
        by: tuple[By, ...] = ("student", "frozen") if self.has_reference else ("student",)
        whose = {"student": "", "frozen": " of the base"}
        values = {
            f"{side} error{whose[who]}": error(predictions, side, who, self.space).mean()
            for side in SIDES
            if side in self.sides
            for who in by
        }
        if self.has_reference:
            margin = self.margin(predictions)
            values |= {"margin": margin.mean(), "implicit accuracy": ((margin.sign() + 1) / 2).mean()}
        return values
