"""Which question comes next: attention checks and repeats by their shares, what was left, then the queue."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import Connection, func, or_, select

from studio.preference.answer import Answer
from studio.preference.label import Purpose
from studio.storage.labels import leases as table
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.items import NewItem, insert_item, references_of
from studio.storage.labels.leases import Clock, Lease
from studio.storage.labels.rounds import Rounds
from studio.storage.labels.shares import chosen
from studio.storage.schema import items, labels, leases, prompts, standing_labels

REPEAT_GAP = 8  # turns before something is asked once more: as many as nobody remembers
_TRIES = 8  # to find something to repeat
_CHECKS = 200  # among which one is drawn


@dataclass(frozen=True)
class Turn:
    """One person asking for questions, within one write transaction.

    annotator: number of the person.
    clock: the moment.
    chance: for coins, checks and repeats.
    """

    connection: Connection
    campaign: Campaign
    annotator: int
    clock: Clock
    chance: Random

    def take(self, count: int, holding: Collection[str]) -> list[Lease]:
        """Give up to `count` questions: what is in hand already, without `holding` (tokens), then new ones.

        What is held is prolonged. Fewer mean that there is nothing more for this person now.
        """
        table.renew(self.connection, self.campaign.id, self.annotator, self.clock)
        rows = self._in_hand(holding)
        ready = len(rows)
        while ready < count and (count_ready := self._give_next()):
            ready += count_ready
        rows = self._in_hand(holding)
        return [table.read(self.connection, row, self.campaign) for row in rows[:count]]

    def _in_hand(self, holding: Collection[str]) -> list[Any]:
        """Rows of what is this person's and not held by the page; lists in rounds are asked in pairs."""
        rows = table.in_hand(self.connection, self.campaign.id, self.annotator, self.clock)
        free = [row for row in rows if row.token not in holding]
        return [row for row in free if row.kind != "list"] if self._in_rounds else free

    @property
    def _in_rounds(self) -> bool:
        return self.campaign.mode == "ranking"

    def _give_next(self) -> int:
        """Give what comes next; say how many questions that is."""
        turn, last = table.last_turn(self.connection, self.campaign.id, self.annotator)
        if last != "check" and self._due("check", turn, self.campaign.check_share) and self._give_check():
            return 1
        if self._due("repeat", turn, self.campaign.repeat_share) and self._give_repeat(turn):
            return 1
        if self._give_left(last):
            return 1
        if self._in_rounds and (pairs := self._give_round()):
            return pairs
        item = self._next_in_queue()
        if item is None:
            return 0
        self.give(item, self.campaign.purpose, from_queue=True)
        return (self._in_rounds and self._begin_round(item)) or 1

    def give(
        self,
        item: int,
        purpose: Purpose,
        *,
        from_queue: bool,
        order: Sequence[int] | None = None,
        side_coin: bool | None = None,
    ) -> None:
        """Give an item, its pictures on the screen by the coin unless an order is named."""
        if order is None:
            count = len(references_of(self.connection, item))
            order = list(range(count))
            if count == 2:
                side_coin = self.chance.random() < 0.5
                order = [1, 0] if side_coin else [0, 1]
            else:
                self.chance.shuffle(order)
        table.give(
            self.connection,
            self.campaign.id,
            self.annotator,
            item,
            purpose,
            order,
            side_coin,
            self.clock.expires_text,
            from_queue=from_queue,
        )

    # -- by rule -----------------------------------------------------------------------------------------------------

    def _due(self, purpose: Purpose, turn: int, share: float) -> bool:
        """Whether fewer of a purpose were given than the turns so far, and this one, are to have."""
        if not share:
            return False
        mine = table.own(self.campaign.id, self.annotator)
        query = select(func.count()).select_from(leases).where(mine, leases.c.purpose == purpose)
        key = f"{purpose}:{self.campaign.id}:{self.annotator}"
        return self.connection.execute(query).scalar_one() < chosen(key, turn + 1, share)

    def _give_check(self) -> bool:
        columns = items.c
        query = select(columns.id).where(columns.campaign == self.campaign.id, columns.purpose == "check")
        query = query.where(columns.status == "aside", ~self._given()).order_by(columns.id).limit(_CHECKS)
        checks = list(self.connection.execute(query).scalars())
        if checks:
            self.give(self.chance.choice(checks), "check", from_queue=False)
        return bool(checks)

    def _give_repeat(self, turn: int) -> bool:
        """Ask something once more that this person has answered, its sides the other way round."""
        for _ in range(_TRIES if turn > REPEAT_GAP else 0):
            row = self._answered_since(self.chance.randint(1, turn - REPEAT_GAP))
            if row is None or row.turn > turn - REPEAT_GAP or self._repeated(row.item):
                continue
            if Answer.load(json.loads(row.answer)).skipped:
                continue
            item = NewItem(row.text, references_of(self.connection, row.item))
            id = insert_item(
                self.connection, self.campaign.id, row.prompt, item, "repeat", "aside", None, origin=row.item
            )
            coin = None if row.side_coin is None else not row.side_coin
            order = json.loads(row.shown_order)[::-1]
            self.give(id, "repeat", from_queue=False, order=order, side_coin=coin)
            return True
        return False

    def _answered_since(self, turn: int) -> Any:
        """The row of the first question of a turn or later that this person has answered, no check and no repeat; or
        None."""
        first = standing_labels.c.question == self.campaign.questions[0]
        same = (standing_labels.c.item == leases.c.item) & (standing_labels.c.annotator == leases.c.annotator)
        joined = leases.join(standing_labels, same & first).join(labels, labels.c.number == standing_labels.c.label)
        joined = joined.join(items, items.c.id == leases.c.item).join(prompts, prompts.c.id == items.c.prompt)
        columns = (leases.c.item, leases.c.turn, leases.c.shown_order, leases.c.side_coin)
        query = select(*columns, labels.c.answer, items.c.prompt, prompts.c.text).select_from(joined)
        query = query.where(table.own(self.campaign.id, self.annotator), leases.c.turn >= turn)
        query = query.where(leases.c.purpose.in_(("train", "eval"))).order_by(leases.c.turn).limit(1)
        return self.connection.execute(query).one_or_none()

    def _repeated(self, item: int) -> bool:
        joined = items.join(leases, leases.c.item == items.c.id)
        query = select(items.c.id).select_from(joined).where(items.c.origin == item, items.c.purpose == "repeat")
        return self.connection.execute(query.where(leases.c.annotator == self.annotator).limit(1)).first() is not None

    # -- what was left, and the queue --------------------------------------------------------------------------------

    def _give_left(self, last: Purpose | None) -> bool:
        """Give something once more that was this person's, was not answered and still needs an answer."""
        query = select(leases.c.item, items.c.origin, items.c.round).join(items, items.c.id == leases.c.item)
        query = query.where(table.own(self.campaign.id, self.annotator), leases.c.answered.is_(False))
        query = query.where(~self.clock.in_force(), items.c.status.in_(("queued", "aside")), self._wanted())
        if last == "check":
            query = query.where(leases.c.purpose != "check")
        if self._in_rounds:
            query = query.where(items.c.kind != "list")
        row = self.connection.execute(query.order_by(leases.c.turn).limit(1)).one_or_none()
        if row is None:
            return False
        table.give_again(self.connection, self.campaign.id, self.annotator, row.item, self.clock)
        if row.round is not None:  # and the list it helps to rank, or somebody else would begin that too
            table.prolong(self.connection, row.origin, self.annotator, self.clock)
        return True

    def _give_round(self) -> int:
        """Give the next round of a list that is this person's, where a round is over; say how many pairs it has."""
        query = select(leases.c.item).join(items, items.c.id == leases.c.item)
        query = query.where(table.own(self.campaign.id, self.annotator), leases.c.answered.is_(False))
        query = query.where(
            items.c.kind == "list", items.c.status == "queued", or_(self.clock.in_force(), self._wanted())
        )
        lists = list(self.connection.execute(query.order_by(leases.c.turn)).scalars())
        return next((pairs for item in lists if (pairs := self._begin_round(item))), 0)

    def _begin_round(self, item: int) -> int:
        """Give the pairs of a list's next round, and say how many; 0 where the one before is not over or was the last,
        or it is no list.
        """
        pairs = Rounds(self.connection, item, self.annotator).begin()
        if pairs:
            table.prolong(self.connection, item, self.annotator, self.clock)
        for pair in pairs:
            self.give(pair, self.campaign.purpose, from_queue=False)
        return len(pairs)

    def _next_in_queue(self) -> int | None:
        """The next item of the queue that this person was not given: behind the last one they were, else from the
        front, where others may have left something.
        """
        mine = table.own(self.campaign.id, self.annotator)
        newest = select(func.max(leases.c.item)).where(mine, leases.c.from_queue)
        last_item = self.connection.execute(newest).scalar_one() or 0
        columns = items.c
        query = select(columns.id).where(columns.campaign == self.campaign.id, columns.status == "queued")
        query = query.where(~self._given(), self._wanted()).order_by(columns.id).limit(1)
        item = self.connection.execute(query.where(columns.id > last_item)).scalar_one_or_none()
        if item is None and last_item:
            item = self.connection.execute(query.where(columns.id < last_item)).scalar_one_or_none()
        return item

    def _given(self) -> Any:
        """Condition on items: this person was given it at any time."""
        mine = leases.alias("mine")
        return select(1).where(mine.c.item == items.c.id, mine.c.annotator == self.annotator).exists()

    def _wanted(self) -> Any:
        """Condition on items: fewer people have it, or have answered, than are wanted."""
        return or_(items.c.wanted.is_(None), table.takers(self.clock) < items.c.wanted)
