"""What a campaign's labels look like, as plain values: counts, agreement, and what stands out in each annotator's."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from typing import Any

from studio.core.settings import Settings
from studio.preference.quality import report, shared_agreement
from studio.preference.tallies import Share
from studio.storage.database import Database
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.snapshots import Snapshot
from studio.storage.labels.store import LabelStore
from studio.storage.workspace import DATABASE_NAME


class LabelLedger:
    """A workspace's labels, read beside its owner; a context manager. Raises NotFound, WorkspaceError when opened."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database.reader(settings.workspace.absolute() / DATABASE_NAME)
        self.store = LabelStore(self._database)

    def __enter__(self) -> LabelLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def campaign_values(store: LabelStore, campaign: Campaign) -> dict[str, Any]:
    """A campaign in a few values, as JSON has them."""
    counts = store.counts(campaign.id)
    return {
        "id": campaign.id,
        "name": campaign.name,
        "mode": campaign.mode,
        "questions": list(campaign.questions),
        "purpose": campaign.purpose,
        "target_per_item": campaign.target_per_item,
        "reveal": campaign.reveal,
        "state": "archived" if campaign.archived else "paused" if campaign.paused else "open",
        "created_at": campaign.created_at.isoformat(),
        "items": counts.items,
        "done": counts.answered,
        "checks": counts.checks,
        "labels": counts.labels,
        "logged": counts.logged,
        "by_annotator": counts.by_annotator,
    }


def statistics(store: LabelStore, campaign: Campaign) -> dict[str, Any]:
    """The same, with agreement over what several answered and the quality of each annotator.

    agreement: Krippendorff's alpha. fleiss: Fleiss' kappa, with how many answers each of its items has. cohen: Cohen's
    kappa of every two annotators.

    A number that is not defined is null. All of the campaign's labels are held in memory, without recipes.
    """
    labels = list(store.reader.read([campaign.id], with_recipes=False))
    agreement = shared_agreement(labels)
    people = report(labels, store.items.right_answers(campaign.id))
    return {
        **campaign_values(store, campaign),
        "agreement": _plain(agreement.alpha),
        "fleiss": {**_plain(agreement.fleiss), "answers": agreement.answers},
        "cohen": [{"annotators": list(pair.annotators), **_plain(pair.kappa)} for pair in agreement.pairs],
        "annotators": [_plain(quality) for quality in people],
    }


def snapshot_values(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot in a few values, as JSON has them."""
    return {
        "name": snapshot.name,
        "campaigns": list(snapshot.campaigns),
        "seed": snapshot.seed,
        "held_out_share": snapshot.held_out_share,
        "training": len(snapshot.training),
        "held_out": len(snapshot.held_out),
        "digest": snapshot.digest,
        "created_at": snapshot.created_at.isoformat(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return {"hits": value.hits, "n": value.n}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in asdict(value)}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]  # type: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and math.isnan(value) else value
