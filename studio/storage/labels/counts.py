"""How much there is, of any number of labels: from tallies, or an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from studio.storage.labels.annotators import annotator_of
from studio.storage.labels.campaigns import Campaign
from studio.storage.schema import annotators, campaign_people, campaigns, items, labels, standing_labels

_PACE_ANSWERS = 21  # the newest, over which the pace is taken
_PAUSE = timedelta(minutes=2)  # between two answers: whoever takes longer was away


@dataclass(frozen=True)
class Progress:
    """How far a campaign is, and one of its annotators.

    answered, target: items with all the answers they need, of all that are in the queue or were.
    mine: answers of this person that stand.
    today: of these, since midnight by the clock of the workspace.
    pace_per_minute: this person's, pauses left out; None before the third answer.
    """

    answered: int
    target: int
    mine: int
    today: int
    pace_per_minute: float | None


@dataclass(frozen=True)
class Counts:
    """What a campaign has.

    items: that are asked from the queue, those with enough answers included.
    answered: of these, with the answers they need.
    checks: attention checks there are.
    labels: answers that stand, to any question about any item.
    logged: all rows of the log, those taken back and the rows that did so included.
    by_annotator: alias -> answers that stand.
    """

    items: int
    answered: int
    checks: int
    labels: int
    logged: int
    by_annotator: dict[str, int]


def progress(connection: Connection, campaign: Campaign, alias: str, moment: datetime) -> Progress:
    """Count for one person. Raises NotFound."""
    annotator = annotator_of(connection, alias).id
    columns = standing_labels.c
    mine = (columns.campaign == campaign.id, columns.annotator == annotator)
    midnight = moment.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight.astimezone(moment.tzinfo).isoformat()
    people = campaign_people.c
    tally = select(people.answers).where(people.campaign == campaign.id, people.annotator == annotator)
    total = connection.execute(tally).scalar_one_or_none() or 0
    recent = select(func.count()).select_from(standing_labels).where(*mine, columns.created_at >= since)
    today = connection.execute(recent).scalar_one()
    newest = select(columns.created_at).where(*mine).order_by(columns.label.desc()).limit(_PACE_ANSWERS)
    times = [datetime.fromisoformat(text) for text in connection.execute(newest).scalars()]
    finished, target = _items(connection, campaign)
    return Progress(finished, target, total, today, pace(times[::-1]))


def counts(connection: Connection, campaign: Campaign) -> Counts:
    """Count a campaign."""
    columns = campaign_people.c
    people = select(annotators.c.alias, columns.answers).join(annotators, annotators.c.id == columns.annotator)
    people = people.where(columns.campaign == campaign.id, columns.answers > 0).order_by(columns.annotator)
    by_annotator = {alias: count for alias, count in connection.execute(people)}
    finished, queued = _items(connection, campaign)
    logged = select(func.count()).select_from(labels).where(labels.c.campaign == campaign.id)
    checks = select(func.count()).where(items.c.campaign == campaign.id, items.c.purpose == "check")
    return Counts(
        items=queued,
        answered=finished,
        checks=connection.execute(checks).scalar_one(),
        labels=sum(by_annotator.values()),
        logged=connection.execute(logged).scalar_one(),
        by_annotator=by_annotator,
    )


def pace(times: Sequence[datetime]) -> float | None:
    """Answers a minute. times: of answers, oldest first. None where fewer than two lie close behind another."""
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    working = [gap.total_seconds() for gap in gaps if timedelta(0) < gap <= _PAUSE]
    return 60 * len(working) / sum(working) if len(working) >= 2 else None


def _items(connection: Connection, campaign: Campaign) -> tuple[int, int]:
    """Those done, and all that are in the queue or were. What everybody is given stays in the queue, and is done with
    as many answers as others need.
    """
    columns = campaigns.c
    query = select(columns.done_items, columns.queue_items).where(columns.id == campaign.id)
    row = connection.execute(query).one()
    return row.done_items, row.queue_items
