"""What a loss of a training is: a file of pure tensors that says which predictions it needs, and sees nothing else.

    class Pull(Params):
        weight: float = param(1.0, low=0, high=10)

        needs = (Need("learning", "student", "concept"), Need("target", "frozen", "anchor"))

        def terms(self, predictions):
            gap = predictions["learning"].eps - predictions["target"].eps
            return {"pull": self.weight * gap.square().mean()}

The trainer plans the batch from `needs`: frozen rows in one forward without gradients, the student's in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, to_eps, to_x0

STATE = "x"  # of a plan with one sort of noisy latents
UNCONDITIONAL = ""  # the column of no prompt, which every row of every plan has
By = Literal["frozen", "student", "truth"]


@dataclass(frozen=True)
class Need:
    """A prediction by name.

    by: the resident network as it is, or with the factors that learn; or truth, the noise that was put on a stored
        picture, which no network is asked for.
    condition: which column of the plan's prompts it is asked with; UNCONDITIONAL is no prompt.
    state: which noisy latents it is asked at; all states of a row have one time, and one noise where it is known.
    strength: of the student: what its factors act at, -1 for the opposite of what they do at 1.
    anchor: 0 is the prompt itself; else a random encoding in its place, in each step the same for all needs of that
        condition and number (training/lora/anchors.py).
    """

    name: str
    by: By
    condition: str
    state: str = STATE
    strength: float = 1.0
    anchor: int = 0


@dataclass(frozen=True, eq=False)
class Prediction:
    """Of a batch.

    raw, x: [B, C, h, w], what the network said and where it was asked.
    a, s: [B, 1, 1, 1], with x = a x0 + s eps.
    kind: what raw means.
    """

    kind: Parameterisation
    raw: Tensor
    x: Tensor
    a: Tensor
    s: Tensor

    @property
    def eps(self) -> Tensor:
        """The noise it predicts, float32."""
        return to_eps(self.kind, self.raw, self.x, self.a, self.s)

    @property
    def x0(self) -> Tensor:
        """The data it predicts, float32."""
        return to_x0(self.kind, self.raw, self.x, self.a, self.s)


class Loss(Protocol):
    """One objective. needs: what `terms` is given, by name, at least one of them the student's."""

    @property
    def needs(self) -> Sequence[Need]: ...

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """The parts of the loss by name, each a single number; their sum is made small."""
        ...


@runtime_checkable
class Numbered(Protocol):
    """A loss that is given numbers of each row as well: what a label weighs, whether it is a tie."""

    @property
    def numbers(self) -> Mapping[str, float]:
        """Name -> what it is where the plan says nothing of it."""
        ...

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """As a Loss's. numbers: each [B]."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A loss that has more to show than its terms, such as how often it is right."""

    def measures(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """Single numbers by name, of a batch; nothing is learned from them."""
        ...
