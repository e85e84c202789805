"""Blind tests of an edit against the model without it: a campaign of two recipes, and what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, Recipe
from studio.preference.blind_test import Outcome, outcome_of
from studio.preference.campaign import MAX_ITEMS
from studio.services.edits.library import EditLibrary
from studio.services.labels.campaigns import CampaignService
from studio.services.labels.design import Arm, CampaignDesign, base_recipe
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.services.sources import Sources
from studio.storage.labels.campaigns import Campaign

PAIRS = 30
OLD, NEW = "without", "with"


@dataclass(frozen=True)
class BlindTest:
    """One blind test.

    campaign: where it is answered.
    edit: what is tested, by the edit's id.
    strength: at which it acts.
    outcome: so far.
    """

    campaign: Campaign
    edit: str
    strength: float
    outcome: Outcome


class BlindTestService:
    """The blind tests of an open studio. Every method may be called from any thread."""

    def __init__(self, labels: LabelService, campaigns: CampaignService, edits: EditLibrary, sources: Sources) -> None:
        self._labels = labels
        self._campaigns = campaigns
        self._edits = edits
        self._sources = sources

    def start(
        self, edit: str, *, pairs: int = PAIRS, strength: float = 1.0, prompts: Sequence[str] = (), name: str = ""
    ) -> BlindTest:
        """Make a test, whose pictures are drawn ahead of whoever answers: the same prompts and seeds, with and without.

        edit: by its name or id.
        prompts: what is drawn; none: from the grammar of Stencil's world, of a model of it.
        name: of its campaign; "" is the edit's, with a number.
        Raises NotFound; BadInput for an edit that does nothing at this strength, no prompts, or a name that is taken.
        """
        entry = self._edits.show(edit)
        if not strength:
            raise BadInput(
                "At a strength of 0 the edit does nothing: both pictures would be the same.", field="strength"
            )
        if type(pairs) is not int or not 1 <= pairs <= MAX_ITEMS:
            raise BadInput(f"A blind test has 1 to {MAX_ITEMS:,} pairs, not {str(pairs)[:40]}.", field="pairs")
        model = self._model_of(entry.id)
        base = base_recipe(self._sources, model)
        arms = (
            Arm(name=OLD, recipe=base),
            Arm(name=NEW, recipe=base.model_copy(update={"edits": (EditRef(edit=entry.id, strength=strength),)})),
        )
        design = CampaignDesign(
            count=pairs, prompts=tuple(prompts), arms=arms, checks=0.0, weigh_liked=False, seed=secrets.randbits(63)
        )
        plan = CampaignPlan(
            name or self._free_name(entry.name or entry.id),
            source="planned",
            purpose="eval",
            guideline="Which of the two do you prefer? If you see no difference worth a choice, say so.",
            overlap_share=0.0,
            repeat_share=0.0,
            check_share=0.0,
        )
        campaign = self._campaigns.make(plan, design)
        return BlindTest(campaign, entry.id, strength, Outcome(0, 0, 0))

    def get(self, campaign: int) -> BlindTest:
        """Give a test as it stands. Raises NotFound, and BadInput for a campaign that is none."""
        record = self._labels.campaign(campaign)
        design = self._campaigns.design(campaign)
        tested = _tested(design) if design is not None and record.purpose == "eval" else None
        if tested is None:
            raise BadInput(f"The campaign {record.name!r} is no blind test of an edit.")
        outcome = outcome_of(self._labels.labels([record.id]), tested.edit)
        return BlindTest(record, tested.edit, tested.strength, outcome)

    def of_edit(self, edit: str) -> list[BlindTest]:
        """The tests of an edit, newest first. edit: by its id."""
        tests: list[BlindTest] = []
        for record in self._labels.campaigns(archived=True):
            if record.purpose == "eval":
                try:
                    test = self.get(record.id)
                except BadInput:
                    continue
                if test.edit == edit:
                    tests.append(test)
        return tests

    def _model_of(self, edit: str) -> str:
        """The model an edit was made for, as its plan has it; Stencil where it does not say."""
        provenance: Any = self._edits.show(edit).provenance
        for plan in (provenance.get("training"), provenance.get("erasure"), provenance.get("alignment")):
            if isinstance(plan, dict) and isinstance(plan.get("model"), str):
                return plan["model"]
        return Recipe().model

    def _free_name(self, edit: str) -> str:
        present_names = {record.name for record in self._labels.campaigns(archived=True)}
        names = (f"Blind test of {edit}"[:70] + ending for ending in ("", *(f" ({k})" for k in range(2, 10_000))))
        return next(name for name in names if name not in present_names)


def _tested(design: CampaignDesign) -> EditRef | None:
    """What is tested where a design is of two recipes that differ in one edit alone."""
    if len(design.arms) != 2:
        return None
    without, with_edit = (arm.recipe for arm in design.arms)
    if without.edits or len(with_edit.edits) != 1 or with_edit.model_copy(update={"edits": ()}) != without:
        return None
    return with_edit.edits[0]


def plain(test: BlindTest) -> dict[str, Any]:
    """As plain values, for programs."""
    return {
        "campaign": test.campaign.name,
        "number": test.campaign.id,
        "edit": test.edit,
        "strength": test.strength,
        **test.outcome.plain(),
        "verdict": test.outcome.verdict,
    }
