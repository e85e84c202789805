"""Campaigns that labels from files are taken into: one for each way of answering, in which nothing is asked."""

from __future__ import annotations

from studio.core.errors import BadInput
from studio.preference.answer import MODES, QUESTIONS, Mode, Question
from studio.preference.label import Label
from studio.services.labels.plan import CampaignPlan
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.store import LabelStore

_IMPORTED = "imported"  # in the plan of such a campaign


class ImportCampaigns:
    """The campaigns of one import, made when their first label comes.

    name: of the first of them; each other way of answering has one under this name with the way behind it.
    Raises BadInput for what is no name, or names a campaign whose items are asked here.
    """

    def __init__(self, store: LabelStore, name: str) -> None:
        self._store = store
        self._name = name
        self._campaigns: dict[tuple[Mode, Question], Campaign] = {}
        for mode in MODES:
            for question in QUESTIONS:
                CampaignPlan(self._name_of(mode, question), source="brought")
        CampaignPlan(name, source="brought")
        self._first = self._existing(name)

    @property
    def names(self) -> list[str]:
        """Those that labels were taken into, in the order they came."""
        return [campaign.name for campaign in self._campaigns.values()]

    def of(self, label: Label) -> Campaign:
        """The campaign of a label. Raises BadInput where its name is that of a campaign that is asked."""
        kind = (label.answer.mode, label.question)
        if kind not in self._campaigns:
            if self._first is None:
                self._first = self._make(self._name, *kind)
            if (self._first.mode, self._first.questions) == (kind[0], (kind[1],)):
                self._campaigns[kind] = self._first
            else:
                name = self._name_of(*kind)
                self._campaigns[kind] = self._existing(name) or self._make(name, *kind)
        return self._campaigns[kind]

    def _make(self, name: str, mode: Mode, question: Question) -> Campaign:
        plan = CampaignPlan(name, source="brought", mode=mode, questions=(question,))
        values = {**plan.as_json(), _IMPORTED: True}
        campaign = self._store.campaigns.add(name, values, mode=mode, questions=plan.questions)
        return self._store.campaigns.change(campaign.id, paused=True)

    def _existing(self, name: str) -> Campaign | None:
        campaigns = self._store.campaigns.list(archived=True)
        campaign = next((campaign for campaign in campaigns if campaign.name == name), None)
        if campaign is not None and _IMPORTED not in campaign.plan:
            message = f"The campaign {name!r} is asked here, and takes no labels from files."
            raise BadInput(message, "Choose another name.", field="campaign")
        return campaign

    def _name_of(self, mode: Mode, question: Question) -> str:
        words = [mode.replace("_", " "), *([question] if question != "overall" else [])]
        return f"{self._name} ({', '.join(words)})"
