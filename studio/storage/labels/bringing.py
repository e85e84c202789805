"""Labels that were given elsewhere come into the log, some hundreds at once.

A label that takes nothing back, the only one of its person about its item, is written with all others of its kind; the
rest goes one by one. The first are nearly all of a data set, and cost a tenth.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.label import Label, Purpose
from studio.storage.labels import leases as table
from studio.storage.labels.annotators import MAX_ALIAS_CHARS
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.items import item_of
from studio.storage.labels.leases import Clock
from studio.storage.labels.rows import (
    AlreadyAnswered,
    append,
    check_answer,
    check_same,
    digest_of,
    json_of,
    stand,
    text_of,
    withdraw,
)
from studio.storage.labels.tallies import count_answers, recount_items
from studio.storage.schema import annotators, item_pictures, items, labels, leases, standing_labels

_CHUNK = 500  # values of one IN


class _Facts(NamedTuple):
    """Of an item."""

    campaign: int
    purpose: Purpose
    is_round: bool
    pictures: int


class Bringing:
    """One transaction that brings labels into a campaign."""

    def __init__(self, connection: Connection, campaign: Campaign, moment: datetime) -> None:
        self._connection = connection
        self._campaign = campaign
        self._moment = moment
        self._people = {alias: id for alias, id in connection.execute(select(annotators.c.alias, annotators.c.id))}
        self._turns: dict[int, int] = {}  # of each person, the newest
        self._plain: list[tuple[dict[str, Any], _Facts]] = []  # not written yet

    def take(self, brought: Sequence[Label]) -> int:
        """Write labels down; give how many were not there yet. Raises as `Log.record`."""
        digests = self._digests([label.id for label in brought])
        facts = self._facts(sorted({label.item for label in brought}))
        leased = self._lease_keys(sorted(facts))
        added = 0
        for label in brought:
            row = self._row(label, facts)
            if label.id in digests:
                check_same(label.id, digests[label.id], row["digest"])
                continue
            digests[label.id] = row["digest"]
            fact, key = facts[label.item], (row["item"], row["annotator"])
            replaces = label.supersedes is not None or label.is_withdrawn
            if replaces or fact.is_round or len(self._campaign.questions) > 1 or key in leased:
                self._write_plain()
                self._write_one(label, row)
            else:
                self._plain.append((row, fact))
            leased.add(key)
            added += 1
        self._write_plain()
        recount_items(self._connection, self._campaign.id)
        return added

    def _row(self, label: Label, facts: dict[int, _Facts]) -> dict[str, Any]:
        """A label as a row. Raises NotFound, BadInput for what is no label of this campaign."""
        fact = facts.get(label.item)
        if fact is None or fact.campaign != self._campaign.id:
            raise NotFound(f"The campaign has no item number {shown(label.item)}.", field="item")
        if label.question not in self._campaign.questions:
            raise BadInput(f"The campaign does not ask {shown(label.question)}.", field="question")
        check_answer(label.answer, label.answer.mode, fact.pictures)
        if label.order and sorted(label.order) != list(range(fact.pictures)):
            message = f"On the screen stand the item's {fact.pictures} pictures, not {shown(label.order)}."
            raise BadInput(message, field="order")
        answer = label.answer.as_json()
        digest = digest_of(["label", label.item, label.annotator, label.question, answer, label.supersedes])
        return {
            "id": label.id,
            "digest": digest,
            "campaign": self._campaign.id,
            "item": label.item,
            "annotator": self._person(label.annotator),
            "question": label.question,
            "answer": json_of(answer),
            "shown_order": json.dumps(label.order),
            "side_coin": label.order[0] == 1 if len(label.order) == 2 else None,
            "answered_at": text_of(label.answered_at),
            "latency_ms": label.latency_ms,
            "confidence": label.confidence,
            "comment": label.comment,
            "flagged": label.flagged,
            "is_blind": label.is_blind,
            "supersedes": label.supersedes,
            "is_withdrawn": label.is_withdrawn,
        }

    def _person(self, alias: str) -> int:
        """Number of whoever answered, "" where nothing says who; a name stays as it came, to go out again alike."""
        if alias not in self._people:
            if len(alias) > MAX_ALIAS_CHARS or not alias.isprintable():
                message = (
                    f"An annotator's name must have up to {MAX_ALIAS_CHARS} printable characters, not {shown(alias)}."
                )
                raise BadInput(message, field="annotator")
            values = {"alias": alias, "created_at": self._moment.isoformat()}
            key = self._connection.execute(insert(annotators).values(values)).inserted_primary_key
            self._people[alias] = int(key[0]) if key else 0
        return self._people[alias]

    # -- one by one --------------------------------------------------------------------------------------------------

    def _write_one(self, label: Label, row: dict[str, Any]) -> None:
        connection, annotator = self._connection, row["annotator"]
        item = item_of(connection, label.item)
        table.ensure(connection, self._campaign, annotator, item, label.order, Clock(self._moment))
        self._turns.pop(annotator, None)
        replaced = self._replaced(label, row) if label.supersedes is not None else None
        receipt = append(connection, row, self._moment)
        if replaced is not None:
            withdraw(connection, replaced, None)
        if not label.is_withdrawn:
            if label.question not in table.open_questions(connection, self._campaign, item.id, annotator):
                message = f"{label.annotator} has answered {label.question} about item {item.id} already."
                raise AlreadyAnswered(message, "Say which label it supersedes.", field="supersedes")
            stand(connection, row, receipt)
            if not table.open_questions(connection, self._campaign, item.id, annotator):
                table.finish(connection, item.id, annotator)

    def _replaced(self, label: Label, row: dict[str, Any]) -> Row[Any]:
        """The row that a label takes back or changes. Raises NotFound where its person has none about its item."""
        query = select(labels).where(labels.c.id == label.supersedes, labels.c.item == row["item"])
        replaced = self._connection.execute(query.where(labels.c.annotator == row["annotator"])).one_or_none()
        if replaced is None:
            ids = f"{shown(label.id)} supersedes {shown(label.supersedes)}"
            raise NotFound(f"The label {ids}, which is not there before it.", field="supersedes")
        return replaced

    # -- all at once -------------------------------------------------------------------------------------------------

    def _write_plain(self) -> None:
        if not self._plain:
            return
        connection, written = self._connection, [row for row, _ in self._plain]
        connection.execute(insert(leases), [self._lease(row, fact) for row, fact in self._plain])
        connection.execute(insert(labels), [{**row, "created_at": self._moment.isoformat()} for row in written])
        numbers: dict[str, int] = {}
        for part in _parts([row["id"] for row in written]):
            query = select(labels.c.id, labels.c.number).where(labels.c.id.in_(part))
            numbers |= {id: number for id, number in connection.execute(query)}
        names = ("item", "annotator", "question", "campaign")
        rows = [
            {**{name: row[name] for name in names}, "label": numbers[row["id"]], "created_at": self._moment.isoformat()}
            for row in written
        ]
        connection.execute(insert(standing_labels), rows)
        counted = (
            update(items).where(items.c.id == bindparam("number")).values(answers=items.c.answers + bindparam("more"))
        )
        answers = Counter(row["item"] for row in written)
        connection.execute(counted, [{"number": item, "more": count} for item, count in answers.items()])
        for part in _parts(sorted(answers)):
            enough = (items.c.id.in_(part), items.c.status == "queued", items.c.answers >= items.c.wanted)
            connection.execute(update(items).where(*enough).values(status="done"))
        for annotator, count in Counter(row["annotator"] for row in written).items():
            count_answers(connection, self._campaign.id, annotator, count)
        self._plain.clear()

    def _lease(self, row: dict[str, Any], fact: _Facts) -> dict[str, Any]:
        annotator = row["annotator"]
        if annotator not in self._turns:
            self._turns[annotator] = table.last_turn(self._connection, self._campaign.id, annotator)[0]
        self._turns[annotator] += 1
        order = row["shown_order"] if row["shown_order"] != "[]" else json.dumps(list(range(fact.pictures)))
        return {
            "item": row["item"],
            "annotator": annotator,
            "token": secrets.token_urlsafe(18),
            "campaign": self._campaign.id,
            "turn": self._turns[annotator],
            "from_queue": fact.purpose in ("train", "eval"),
            "purpose": fact.purpose,
            "shown_order": order,
            "side_coin": row["side_coin"],
            "expires_at": self._moment.isoformat(),
            "answered": True,
        }

    # -- what is there -----------------------------------------------------------------------------------------------

    def _digests(self, ids: list[str]) -> dict[str, str]:
        digests: dict[str, str] = {}
        for part in _parts(ids):
            query = select(labels.c.id, labels.c.digest).where(labels.c.id.in_(part))
            digests |= {id: digest for id, digest in self._connection.execute(query)}
        return digests

    def _facts(self, numbers: list[int]) -> dict[int, _Facts]:
        facts: dict[int, _Facts] = {}
        for part in _parts(numbers):
            query = select(items.c.id, items.c.campaign, items.c.purpose, items.c.round, func.count())
            query = query.join(item_pictures, item_pictures.c.item == items.c.id).where(items.c.id.in_(part))
            for id, campaign, purpose, round, count in self._connection.execute(query.group_by(items.c.id)):
                facts[id] = _Facts(campaign, purpose, round is not None, count)
        return facts

    def _lease_keys(self, numbers: list[int]) -> set[tuple[int, int]]:
        """(item, annotator) of those who were asked about it."""
        leased: set[tuple[int, int]] = set()
        for part in _parts(numbers):
            query = select(leases.c.item, leases.c.annotator).where(leases.c.item.in_(part))
            leased |= {(item, annotator) for item, annotator in self._connection.execute(query)}
        return leased


def _parts(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
