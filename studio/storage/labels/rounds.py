"""A list that one person ranks in rounds of pairs: each pair is an item of its own, with a label like any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, select, update

from studio.preference import swiss
from studio.preference.answer import Answer
from studio.preference.swiss import Game
from studio.storage.labels.items import NewItem, insert_item, references_of
from studio.storage.schema import items, labels, leases, prompts, standing_labels


class Rounds:
    """One list and one person, within a transaction."""

    def __init__(self, connection: Connection, item: int, annotator: int) -> None:
        self._connection = connection
        self._item = item
        self._annotator = annotator
        self._pictures = references_of(connection, item)

    @property
    def is_complete(self) -> bool:
        """Whether every pair of every round is answered."""
        rows = self._rows()
        return self._is_over(rows) and rows[-1].round + 1 >= swiss.rounds(len(self._pictures))

    def begin(self) -> list[int]:
        """Write the next round's pairs down; give their items.

        None where the one before is not over or was the last, or there are two pictures, which are a pair already.
        """
        rows = self._rows()
        if len(self._pictures) < 3 or (rows and not self._is_over(rows)):
            return []
        number = rows[-1].round + 1 if rows else 0
        if number >= swiss.rounds(len(self._pictures)):
            return []
        pairs = swiss.next_pairs(len(self._pictures), self._games(rows))
        query = select(items.c.campaign, items.c.purpose, items.c.prompt, prompts.c.text)
        query = query.join(prompts, prompts.c.id == items.c.prompt).where(items.c.id == self._item)
        whole = self._connection.execute(query).one()
        ids: list[int] = []
        for first, second in pairs:
            pair = NewItem(whole.text, (self._pictures[first], self._pictures[second]), chosen_by="swiss")
            ids.append(
                insert_item(
                    self._connection,
                    whole.campaign,
                    whole.prompt,
                    pair,
                    whole.purpose,
                    "aside",
                    None,
                    origin=self._item,
                    round=number,
                )
            )
        return ids

    def drop_open(self, last_kept: int) -> None:
        """Ask pairs no more that are not answered, of rounds after this one: what they were chosen by is gone."""
        ids = [row.id for row in self._rows() if row.answer is None and row.round > last_kept]
        self._connection.execute(update(items).where(items.c.id.in_(ids)).values(status="retired"))

    def _is_over(self, rows: Sequence[Any]) -> bool:
        return bool(rows) and all(row.answer is not None for row in rows)

    def _games(self, rows: Sequence[Any]) -> list[Game]:
        games: list[Game] = []
        for row in rows:
            if row.answer is None:
                continue
            first, second = (self._pictures.index(picture) for picture in references_of(self._connection, row.id))
            ranks = Answer.load(json.loads(row.answer)).ranks
            points = 0.5 if not ranks or ranks[0] == ranks[1] else float(ranks[0] < ranks[1])
            games.append(Game(first, second, points))
        return games

    def _rows(self) -> list[Any]:
        """The pairs so far, round by round: id, round, answer (JSON, to the question answered first; or None)."""
        mine = and_(leases.c.item == items.c.id, leases.c.annotator == self._annotator)
        stands = and_(
            standing_labels.c.item == items.c.id,
            standing_labels.c.annotator == self._annotator,
            leases.c.answered,  # to all questions
        )
        joined = items.join(leases, mine).outerjoin(standing_labels, stands)
        joined = joined.outerjoin(labels, labels.c.number == standing_labels.c.label)
        query = select(items.c.id, items.c.round, labels.c.answer).select_from(joined)
        query = query.where(items.c.origin == self._item, items.c.round.is_not(None), items.c.status != "retired")
        rows: Sequence[Any] = self._connection.execute(query.order_by(items.c.round, items.c.id, labels.c.number)).all()
        return list({row.id: row for row in reversed(rows)}.values())[::-1]  # of several questions, the first answered
