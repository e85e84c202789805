"""Blind tests of two rows: a campaign of their two recipes, answered on the Label tab, told when it is over.

Each pair has a prompt of the columns and a seed that nobody chose; both rows draw it at that seed. One may look after
every answer whether enough was asked (preference/blind_test.py), and who won is told only then, or when one has had
enough: a test whose leader is known is not blind to whoever goes on answering.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.blind_test import Outcome, kind_of, outcome_between
from studio.preference.campaign import MAX_ITEMS
from studio.services.checks import settled
from studio.services.comparisons.cells import Cell
from studio.services.comparisons.comparison import Comparison
from studio.services.labels.campaigns import CampaignService
from studio.services.labels.design import Arm, CampaignDesign
from studio.services.labels.plan import MAX_NAME_CHARS, CampaignPlan
from studio.services.labels.service import LabelService
from studio.storage.labels.campaigns import Campaign

PAIRS = 60  # planned; it ends before where the answers say so
GUIDELINE = "Which of the two do you prefer? If you see no difference worth a choice, say so."


@dataclass(frozen=True)
class RowTest:
    """One test of two rows.

    campaign: where it is answered.
    reference, row: what the two are called.
    outcome: so far, of the row against the reference; not to be told before `is_over`.
    items: pairs that are or will be asked. answers: given so far, those that say nothing included.
    is_over: whether it may be told: it is decided, everything is answered, or it was ended.
    """

    campaign: Campaign
    reference: str
    row: str
    outcome: Outcome
    items: int
    answers: int
    is_over: bool

    @property
    def verdict(self) -> str:
        """One sentence; before it is over, none of who is ahead."""
        if not self.is_over:
            return f"{self.answers} of at most {self.items} pairs are answered; it ends where that tells the two apart."
        if self.outcome.is_decided:
            winner, loser = (
                (self.row, self.reference) if self.outcome.wins > self.outcome.losses else (self.reference, self.row)
            )
            return f"{winner} is preferred to {loser}."
        if not self.outcome.answers:
            return "Nothing was answered."
        needed = self.outcome.more_needed
        ending = f": {needed} more decided answers would tell at this rate" if needed is not None else ""
        return f"{self.row} and {self.reference} are not told apart{ending}."


class RowTestService:
    """The blind tests of an open studio's comparisons. Every method may be called from any thread."""

    def __init__(self, labels: LabelService, campaigns: CampaignService) -> None:
        self._labels = labels
        self._campaigns = campaigns

    def start(
        self,
        comparison: Comparison,
        cells: Sequence[Sequence[Cell]],
        names: Sequence[str],
        row: int,
        pairs: int = PAIRS,
    ) -> RowTest:
        """Make a test of a row against the reference; its pictures are drawn ahead of whoever answers.

        cells, names: of the comparison, as `ComparisonService` gives them. pairs: at most as many are asked.
        Raises BadInput for the reference itself, a row that cannot be drawn or is in training, rows that differ in
        prompt or seed alone, and columns without a prompt where the rows have different ones.
        """
        if row == comparison.reference or not 0 <= row < len(comparison.rows):
            raise BadInput("A blind test is of one row against the reference.", "Choose another row.", field="row")
        if type(pairs) is not int or not 1 <= pairs <= MAX_ITEMS:
            raise BadInput(f"A blind test has 1 to {MAX_ITEMS:,} pairs, not {shown(pairs)}.", field="pairs")
        both = (comparison.reference, row)
        for place in both:
            if refusal := next((cell.refusal for cell in cells[place] if cell.refusal), ""):
                raise BadInput(f"The row {names[place]!r} cannot be drawn: {refusal}", field="row")
            if comparison.rows[place].is_live:
                message = f"The row {names[place]!r} is drawn with an edit that is still in training, and would change."
                raise BadInput(message, "Take a finished version of it.", field="row")
        recipes = [settled(cells[place][0].recipe) for place in both]
        if kind_of(recipes[0]) == kind_of(recipes[1]):
            raise BadInput(
                "These two rows differ in nothing but prompt or seed: both sides would be drawn alike.",
                "Choose a row with another model, edit, guidance or sampler.",
                field="row",
            )
        prompts = dict.fromkeys(cell.recipe.prompt for place in both for cell in cells[place])
        if any(a.recipe.prompt != b.recipe.prompt for a, b in zip(cells[both[0]], cells[both[1]], strict=True)):
            raise BadInput(
                "The two rows have prompts of their own, and a blind test draws one prompt on both sides.",
                "Give the columns a prompt.",
                field="columns",
            )
        arms = tuple(
            Arm(name=names[place], recipe=kind_of(recipe)) for place, recipe in zip(both, recipes, strict=True)
        )
        design = CampaignDesign(
            count=pairs, prompts=tuple(prompts), arms=arms, checks=0.0, weigh_liked=False, seed=secrets.randbits(63)
        )
        plan = CampaignPlan(
            self._free_name(f"Blind test: {names[row]}"),
            source="planned",
            purpose="eval",
            guideline=GUIDELINE,
            overlap_share=0.0,
            repeat_share=0.0,
            check_share=0.0,
        )
        return self.get(self._campaigns.make(plan, design).id)

    def get(self, campaign: int) -> RowTest:
        """Give a test as it stands. Raises NotFound, and BadInput for a campaign that is none."""
        record, design = self._labels.campaign(campaign), self._campaigns.design(campaign)
        if record.purpose != "eval" or design is None or len(design.arms) != 2:
            raise BadInput(f"The campaign {record.name!r} is no blind test of two rows.")
        reference, tested = design.arms
        outcome = outcome_between(self._labels.labels([record.id]), reference.recipe, tested.recipe)
        answered = outcome.answers + outcome.skips
        is_over = outcome.is_decided or answered >= design.count or record.paused or record.archived
        return RowTest(record, reference.name, tested.name, outcome, design.count, answered, is_over)

    def end(self, campaign: int) -> RowTest:
        """Ask nothing more, and tell how it went. Raises as `get`."""
        self.get(campaign)
        self._campaigns.drawing.stop(campaign)
        self._labels.pause(campaign)
        return self.get(campaign)

    def _free_name(self, wish: str) -> str:
        present_names = {record.name for record in self._labels.campaigns(archived=True)}
        printable = "".join(letter for letter in wish if letter.isprintable())[: MAX_NAME_CHARS - 8].rstrip()
        return next(name for name in _numbered(printable) if name not in present_names)


def _numbered(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name} ({k})" for k in range(2, 10_000))


def plain(test: RowTest) -> dict[str, Any]:
    """As plain values, for programs; who is ahead only once it is over."""
    values: dict[str, Any] = {
        "campaign": test.campaign.name,
        "number": test.campaign.id,
        "pairs": test.items,
        "answers": test.answers,
        "over": test.is_over,
        "verdict": test.verdict,
    }
    if not test.is_over:
        return values
    return {**values, "reference": test.reference, "row": test.row, **test.outcome.plain()}
