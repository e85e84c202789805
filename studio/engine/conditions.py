"""The conditions of one recipe, encoded: what a trajectory feeds the network beside x and t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from studio.core.recipe import Recipe
from studio.engine.edits.stack import EMPTY
from studio.engine.edits.timed import Stack
from studio.engine.encoding import TEXT_ENCODERS, PromptEncoder
from studio.engine.kinds import going_on
from studio.models.bundle import Conditioning
from studio.prompts.conditions import ConditionPlan, Said

Part = tuple[float, Conditioning]  # weight, conditioning of one row


@dataclass(frozen=True)
class Conditions:
    """What is said to the network, at each step, and how it is read.

    plan: what each condition says at each step.
    encoded: all that is ever said, under the edits of each of these stretches of the steps.
    """

    plan: ConditionPlan
    encoded: tuple[tuple[range, dict[Said, Conditioning]], ...]

    def parts(self, name: str, step: int) -> tuple[Part, ...]:
        """The parts of a condition at a step, 0-based. Raises KeyError for a condition the recipe has not."""
        encoded = next(encoded for stretch, encoded in self.encoded if step in stretch)
        return tuple((weight, encoded[text]) for weight, text in self.plan.parts(name, step))

    def length(self, text: Said) -> int:
        """How many tokens something said is encoded to: only equal ones share an evaluation of the network."""
        return self.encoded[0][1][text].tokens.shape[1]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        encoder: PromptEncoder,
        stack: Stack = EMPTY,
        should_stop: Callable[[], bool] = going_on,
    ) -> Conditions:
        """Encode a recipe's prompts under its edits, each different text once.

        All now: a text encoder's edits may change before the run ends.
        Raises BadInput for a prompt that cannot be, Cancelled where it should stop.
        """
        plan = ConditionPlan.of(recipe)
        texts = stack.part(TEXT_ENCODERS)
        bounds = [0, *(step for step in range(1, recipe.steps) if texts.at(step) != texts.at(step - 1)), recipe.steps]
        stretches = [range(first, last) for first, last in pairwise(bounds)]
        return cls(
            plan,
            tuple(
                (stretch, {text: encoder.encode(*text, texts.at(stretch.start), should_stop) for text in plan.texts})
                for stretch in stretches
            ),
        )
