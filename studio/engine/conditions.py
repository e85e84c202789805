"""The conditions of one recipe, encoded: what a trajectory feeds the network beside x and t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.core.recipe import Recipe
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.encoding import PromptEncoder
from studio.engine.kinds import going_on
from studio.models.bundle import Conditioning
from studio.prompts.conditions import ConditionPlan, Said

Part = tuple[float, Conditioning]  # weight, conditioning of one row


@dataclass(frozen=True)
class Conditions:
    """plan: what each condition says at each step. encoded: all that is ever said."""

    plan: ConditionPlan
    encoded: dict[Said, Conditioning]

    def parts(self, name: str, step: int) -> tuple[Part, ...]:
        """The parts of a condition at a step, 0-based. Raises KeyError for a condition the recipe has not."""
        return tuple((weight, self.encoded[said]) for weight, said in self.plan.parts(name, step))

    def length(self, said: Said) -> int:
        """How many tokens something said is encoded to: only equal ones share an evaluation of the network."""
        return self.encoded[said].tokens.shape[1]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        encoder: PromptEncoder,
        stack: EditStack = EMPTY,
        should_stop: Callable[[], bool] = going_on,
    ) -> Conditions:
        """Encode a recipe's prompts under its edits, each different text once.

        All now: a text encoder's edits may change before the run ends.
        Raises BadInput for a prompt that cannot be, Cancelled where it should stop.
        """
        plan = ConditionPlan.of(recipe)
        return cls(plan, {said: encoder.encode(said.item, said.dialect, stack, should_stop) for said in plan.said})
