"""How much a card may draw: three budgets, each with the pictures of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.core.errors import NotFound

STRENGTHS = (0.25, 0.5, 0.75, 1.25, 1.5)  # beside 1, which everything else is drawn at
HALF = 0.5  # share of the steps the base draws alone, where a picture is completed under the edit
HALF_WAY = "half-way"  # what that stack is called
FEW = 50  # a rate of fewer pictures is a preview
NOT_IN_BUDGET = "Not measured by this card; a fuller one does."


@dataclass(frozen=True, eq=False)
class Budget:
    """What one card draws.

    name: as it is asked for.
    about: one sentence for whoever chooses.
    in_world: part -> its prompts, of a model that speaks Stencil's language.
    elsewhere: the same of any other, whose pictures take seconds to minutes each.
    drift: pictures of each divergence in nats, which are measured of models of the world alone; 0 for none.
    attack: in the world, whether words are put before a prompt, and how many each further round tries; 0 is not.
    is_rounded: in the world, whether the edit is tried in fewer bits.
    is_relearned: in the world, whether the concept is taught again on top of the edit.
    is_inverted: in the world, whether the embeddings of its words are learned anew under the edit.
    is_brief: whether few pictures are shown to look at, and none of neighbours or without a prompt.
    is_offered: whether the page has a button for it; programs may ask for any.
    """

    name: str
    about: str
    in_world: Mapping[str, int]
    elsewhere: Mapping[str, int]
    drift: int = 0
    attack: int = 0
    is_rounded: bool = False
    is_relearned: bool = False
    is_inverted: bool = False
    is_brief: bool = False
    is_offered: bool = True

    def sizes(self, in_world: bool) -> Mapping[str, int]:
        """Part -> its prompts."""
        return self.in_world if in_world else self.elsewhere


def _sizes(
    forget: int, keep: int, near: int, wording: int, preserve: int, strength: int, unedited: int = 0
) -> dict[str, int]:
    return {
        "forget": forget,
        "keep": keep,
        "near": near,
        "wording": wording,
        "preserve": preserve,
        "strength": strength,
        "unedited": unedited,
    }


# In the world a picture of 12 steps takes 0.2 to 0.4 s of one core: at most 90 s, 4 and 12 minutes. A preview is under
# 50 pictures, those to look at among them: the least of which anything is thought, of the concept and of all else.
BUDGETS: dict[str, Budget] = {
    budget.name: budget
    for budget in (
        Budget(
            "preview",
            "A first look: too few pictures for a rate, and all of them soon there.",
            _sizes(8, 8, 0, 0, 0, 0),
            _sizes(4, 4, 0, 2, 2, 0),
            is_brief=True,
        ),
        Budget(
            "rates",
            "Whether the concept is gone and all else is right, of more pictures than the standard budget has, and "
            "nothing else.",
            _sizes(96, 96, 0, 0, 0, 0),
            _sizes(24, 24, 0, 0, 0, 0),
            is_brief=True,
            is_offered=False,
        ),
        Budget(
            "standard",
            "Rates with intervals one can decide by, the curve over strengths, and drift in nats.",
            _sizes(64, 56, 32, 32, 8, 12),
            _sizes(12, 12, 0, 4, 4, 4),
            drift=24,
        ),
        Budget(
            "full",
            "The same from more pictures; every word before a prompt, the edit in fewer bits, the concept learned "
            "again, its words' embeddings sought anew, and what a negative prompt does without an edit.",
            _sizes(144, 144, 56, 56, 16, 24, 56),
            _sizes(48, 48, 0, 16, 8, 8, 12),
            drift=48,
            attack=32,
            is_rounded=True,
            is_relearned=True,
            is_inverted=True,
        ),
    )
}


def budget_named(name: str) -> Budget:
    """The budget of a name. Raises NotFound."""
    if name not in BUDGETS:
        raise NotFound(f"There is no budget {name[:60]!r}; there are {', '.join(BUDGETS)}.", field="budget")
    return BUDGETS[name]
