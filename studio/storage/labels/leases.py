"""What a person is given is theirs for ten minutes: rows that say who is asked what, and how it is shown."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from studio.core.errors import NotFound
from studio.core.params import shown
from studio.preference.answer import Mode, Question
from studio.preference.label import Purpose
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.items import Item, images_of
from studio.storage.labels.tallies import count_done
from studio.storage.schema import items, labels, leases, prompts, standing_labels

LEASE = timedelta(minutes=10)


@dataclass(frozen=True)
class Lease:
    """One question for one person.

    token: random; what a page knows it by, and all that it needs to.
    item: number of the item.
    campaign: number of its campaign.
    annotator: number of the person.
    turn: rises with what the person is given in the campaign; it is shown in this order.
    purpose: of the item; no page is told.
    mode: how it is asked.
    questions: those of the campaign that the person has not answered about it.
    prompt: what the pictures were to show.
    images: sha256 of the pictures, in the item's own order.
    order: places of the pictures in that order, as they stand on the screen, from the left.
    side_coin: of a pair, whether its second picture stands on the left.
    expires_at: until when it is this person's alone.
    is_flagged: whether somebody marked the item for others to look at.
    """

    token: str
    item: int
    campaign: int
    annotator: int
    turn: int
    purpose: Purpose
    mode: Mode
    questions: tuple[Question, ...]
    prompt: str
    images: tuple[str, ...]
    order: tuple[int, ...]
    side_coin: bool | None
    expires_at: datetime
    is_flagged: bool = False


class Clock:
    """A moment, and what it makes of leases. Whoever's lease has expired may still answer."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.text = moment.isoformat()
        self.expires_at = moment + LEASE
        self.expires_text = self.expires_at.isoformat()

    def in_force(self, table: Any = leases) -> Any:
        """Condition: not expired. One that ends later than any begun now was begun before the clock was set back, and
        nobody knows how long ago: it has expired.
        """
        return and_(table.c.expires_at > self.text, table.c.expires_at <= self.expires_text)

    def taken(self, table: Any = leases) -> Any:
        """Condition: answered, or somebody's at this moment."""
        return or_(table.c.answered, self.in_force(table))


def own(campaign: int, annotator: int) -> Any:
    """Condition: of this person in this campaign."""
    return and_(leases.c.campaign == campaign, leases.c.annotator == annotator)


def last_turn(connection: Connection, campaign: int, annotator: int) -> tuple[int, Purpose | None]:
    """The newest turn of a person, and the purpose of what was given in it; 0 and None before the first."""
    query = select(leases.c.turn, leases.c.purpose).where(own(campaign, annotator)).order_by(leases.c.turn.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return (0, None) if row is None else (row.turn, row.purpose)


def give(
    connection: Connection,
    campaign: int,
    annotator: int,
    item: int,
    purpose: Purpose,
    order: Sequence[int],
    side_coin: bool | None,
    expires_at: str,
    *,
    from_queue: bool,
) -> None:
    """Give an item to a person who has not been given it before.

    expires_at: UTC, as ISO 8601 has it.
    """
    row = {
        "item": item,
        "annotator": annotator,
        "token": secrets.token_urlsafe(18),
        "campaign": campaign,
        "turn": last_turn(connection, campaign, annotator)[0] + 1,
        "from_queue": from_queue,
        "purpose": purpose,
        "shown_order": json.dumps(list(order)),
        "side_coin": side_coin,
        "expires_at": expires_at,
    }
    connection.execute(insert(leases).values(row))


def give_again(connection: Connection, campaign: int, annotator: int, item: int, clock: Clock) -> None:
    """Give an item once more to the person who has not answered it, or took the answer back, as it stood then."""
    turn = last_turn(connection, campaign, annotator)[0] + 1
    query = update(leases).where(leases.c.item == item, leases.c.annotator == annotator)
    connection.execute(query.values(turn=turn, expires_at=clock.expires_text, answered=False))


def renew(connection: Connection, campaign: int, annotator: int, clock: Clock) -> None:
    """Prolong what is in force for a person who is still there."""
    query = update(leases).where(own(campaign, annotator), leases.c.answered.is_(False), clock.in_force())
    connection.execute(query.values(expires_at=clock.expires_text))


def prolong(connection: Connection, item: int, annotator: int, clock: Clock) -> None:
    """Let a person have an item for longer; its turn stays."""
    query = update(leases).where(leases.c.item == item, leases.c.annotator == annotator)
    connection.execute(query.values(expires_at=clock.expires_text))


def ensure(
    connection: Connection, campaign: Campaign, annotator: int, item: Item, order: Sequence[int], clock: Clock
) -> None:
    """Have a row for somebody who answered without having been asked here; what they left open is for everybody."""
    query = select(leases.c.item).where(leases.c.item == item.id, leases.c.annotator == annotator)
    if connection.execute(query).first() is None:
        places = order or range(len(item.images))
        coin = order[0] == 1 if len(order) == 2 else None
        from_queue = item.purpose in ("train", "eval") and item.round is None
        give(connection, campaign.id, annotator, item.id, item.purpose, places, coin, clock.text, from_queue=from_queue)


def finish(connection: Connection, item: int, annotator: int) -> None:
    """A person has answered all of an item, which may be enough."""
    query = update(leases).where(leases.c.item == item, leases.c.annotator == annotator)
    connection.execute(query.values(answered=True))
    connection.execute(update(items).where(items.c.id == item).values(answers=items.c.answers + 1))
    count_done(connection, item, 1)
    enough = (items.c.id == item, items.c.status == "queued", items.c.answers >= items.c.wanted)
    connection.execute(update(items).where(*enough).values(status="done"))


def reopen(connection: Connection, item: int, annotator: int) -> None:
    """A person has taken back part of what was all of an item, which may then not be enough."""
    query = update(leases).where(leases.c.item == item, leases.c.annotator == annotator, leases.c.answered)
    if connection.execute(query.values(answered=False)).rowcount:
        connection.execute(update(items).where(items.c.id == item).values(answers=items.c.answers - 1))
        count_done(connection, item, -1)
        too_few = (items.c.id == item, items.c.status == "done", items.c.answers < items.c.wanted)
        connection.execute(update(items).where(*too_few).values(status="queued"))


def in_hand(connection: Connection, campaign: int, annotator: int, clock: Clock) -> Sequence[Row[Any]]:
    """Rows, for `read`, of what a person has been given, has not answered, and nobody else may have, by turns."""
    query = _query().where(own(campaign, annotator), leases.c.answered.is_(False), clock.in_force())
    return connection.execute(query.where(items.c.status != "retired").order_by(leases.c.turn)).all()


def lease_of(connection: Connection, token: str) -> Row[Any]:
    """Read the row of a token. Raises NotFound."""
    row = connection.execute(_query().where(leases.c.token == token)).one_or_none()
    if row is None:
        raise NotFound(f"No question {shown(token)} was given to anybody.", "Load the page again.", field="token")
    return row


def lease_for(connection: Connection, campaign: Campaign, annotator: int, item: int) -> Lease:
    """Read the lease of a person and item, which is there."""
    query = _query().where(leases.c.item == item, leases.c.annotator == annotator)
    return read(connection, connection.execute(query).one(), campaign)


def mode_of(mode: Mode, kind: str) -> Mode:
    """How an item is asked: a list that is ranked is asked in pairs."""
    return "pair" if mode == "ranking" and kind == "pair" else mode


def open_questions(connection: Connection, campaign: Campaign, item: int, annotator: int) -> tuple[Question, ...]:
    """Those of the campaign's questions that a person has not answered about an item."""
    columns = standing_labels.c
    query = select(columns.question).where(columns.item == item, columns.annotator == annotator)
    answered = set(connection.execute(query).scalars())
    return tuple(question for question in campaign.questions if question not in answered)


def takers(clock: Clock) -> Any:
    """Subquery: how many people have answered the item of the outer query, or have it at this moment."""
    taking = leases.alias("takers")
    return select(func.count()).where(taking.c.item == items.c.id, clock.taken(taking)).scalar_subquery()


def _query() -> Select[Any]:
    joined = leases.join(items, items.c.id == leases.c.item).join(prompts, prompts.c.id == items.c.prompt)
    facts = (items.c.kind, items.c.status, items.c.origin, items.c.round, items.c.wanted, items.c.answers)
    return select(leases, *facts, prompts.c.text.label("prompt_text")).select_from(joined)


def read(connection: Connection, row: Row[Any], campaign: Campaign) -> Lease:
    """Make a lease of a row."""
    flags = select(labels.c.number).where(labels.c.item == row.item, labels.c.flagged)
    return Lease(
        token=row.token,
        item=row.item,
        campaign=row.campaign,
        annotator=row.annotator,
        turn=row.turn,
        purpose=row.purpose,
        mode=mode_of(campaign.mode, row.kind),
        questions=open_questions(connection, campaign, row.item, row.annotator),
        prompt=row.prompt_text,
        images=images_of(connection, row.item),
        order=tuple(json.loads(row.shown_order)),
        side_coin=None if row.side_coin is None else bool(row.side_coin),
        expires_at=datetime.fromisoformat(row.expires_at),
        is_flagged=connection.execute(flags.limit(1)).first() is not None,
    )
