"""The log of answers: rows that are only ever added. What is taken back is one more row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import Answer, Question
from studio.preference.label import Label
from studio.storage.database import Database
from studio.storage.labels import leases as table
from studio.storage.labels.annotators import annotator_of
from studio.storage.labels.bringing import Bringing
from studio.storage.labels.campaigns import campaign_of
from studio.storage.labels.leases import Clock, Lease
from studio.storage.labels.reveals import is_sighted
from studio.storage.labels.rounds import Rounds
from studio.storage.labels.rows import (
    AlreadyAnswered,
    Circumstances,
    Receipt,
    append,
    check_answer,
    columns_of,
    content_of,
    digest_of,
    json_of,
    receipt_of,
    stand,
    withdraw,
)
from studio.storage.schema import labels, standing_labels

UNDO_DEPTH = 20  # answers in a row that are taken back


class Log:
    """The table of labels, and which of them stand.

    clock: gives the time, UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def vote(self, id: str, token: str, question: Question, answer: Answer, circumstances: Circumstances) -> Receipt:
        """Write an answer down. It is on disk when this returns.

        id: chosen by who sends it, unique; the same again gives the same receipt and changes nothing.
        token: of the lease; one that has expired is as good.
        Raises NotFound for a token nobody was given; AlreadyAnswered; BadInput for another answer under that id, a
        question that is not asked, or an answer of another shape; WorkspaceError, and then nothing was written.
        """
        digest = digest_of(["vote", token, question, answer.as_json(), *content_of(circumstances)])
        with self._database.write() as connection:
            if (receipt := receipt_of(connection, id, digest)) is not None:
                return receipt
            lease = table.lease_of(connection, token)
            campaign = campaign_of(connection, lease.campaign)
            check_answer(answer, table.mode_of(campaign.mode, lease.kind), len(json.loads(lease.shown_order)))
            if question not in campaign.questions:
                raise BadInput(f"The campaign does not ask {shown(question)}.", field="question")
            if lease.answered or question not in table.open_questions(
                connection, campaign, lease.item, lease.annotator
            ):
                raise AlreadyAnswered("You have answered this already.", "Undo takes the answer back.")
            row = {
                "id": id,
                "digest": digest,
                "campaign": campaign.id,
                "item": lease.item,
                "annotator": lease.annotator,
                "question": question,
                "answer": json_of(answer.as_json()),
                "shown_order": lease.shown_order,
                "side_coin": lease.side_coin,
                "guideline_version": campaign.guideline_version,
                **columns_of(circumstances),
                "is_blind": circumstances.is_blind and not is_sighted(connection, campaign, lease.annotator),
            }
            receipt = append(connection, row, self._clock())
            stand(connection, row, receipt)
            if not table.open_questions(connection, campaign, lease.item, lease.annotator):
                _finish(connection, lease)
            return receipt

    def undo(self, id: str, campaign: int, alias: str, label: str | None = None) -> tuple[Receipt, Lease]:
        """Take back a person's newest answer of a campaign, and give them the question again, as it stood.

        label: id of the answer that is meant, in place of the newest: a page that undoes what never arrived must not
        take back what did.
        Raises NotFound, also for such an answer that does not stand; BadInput where there is none, or twenty in a row
        were taken back; else as `vote`.
        """
        digest = digest_of(["undo", campaign, alias, label])
        with self._database.write() as connection:
            annotator = annotator_of(connection, alias).id
            record = campaign_of(connection, campaign)
            receipt = receipt_of(connection, id, digest)
            if receipt is None:
                _check_depth(connection, campaign, annotator)
                row = _newest(connection, campaign, annotator, label)
                if row is None and label is not None:
                    message = "The answer to be taken back does not stand."
                    raise NotFound(message, "It was taken back before, or did not arrive.", field="label")
                if row is None:
                    raise BadInput("There is no answer to take back.")
                receipt = append(
                    connection, {**_copied(row), "id": id, "digest": digest, "is_withdrawn": True}, self._clock()
                )
                withdraw(connection, row, Clock(self._clock()))
            return receipt, table.lease_for(connection, record, annotator, receipt.item)

    def record(self, brought: Sequence[Label], campaign: int) -> int:
        """Write down labels that were given elsewhere, all or none; give how many were not there yet.

        brought: their `item` is the number of an item of this campaign; whoever answered is written down if new. One
        that supersedes another comes after it. Ids that are there with the same content are passed over.
        Raises NotFound, BadInput, AlreadyAnswered, WorkspaceError; then nothing was written.
        """
        with self._database.write() as connection:
            return Bringing(connection, campaign_of(connection, campaign), self._clock()).take(brought)


def _finish(connection: Connection, lease: Row[Any]) -> None:
    """All questions about an item are answered; with the last pair of a list the list is as well."""
    table.finish(connection, lease.item, lease.annotator)
    if lease.round is not None and Rounds(connection, lease.origin, lease.annotator).is_complete:
        table.finish(connection, lease.origin, lease.annotator)


def _newest(connection: Connection, campaign: int, annotator: int, id: str | None) -> Row[Any] | None:
    """A person's newest label of a campaign that stands, or the one of that id if it does."""
    columns = standing_labels.c
    query = select(columns.label).where(columns.campaign == campaign, columns.annotator == annotator)
    if id is not None:
        query = query.join(labels, labels.c.number == columns.label).where(labels.c.id == id)
    number = connection.execute(query.order_by(columns.label.desc()).limit(1)).scalar_one_or_none()
    return None if number is None else connection.execute(select(labels).where(labels.c.number == number)).one()


def _check_depth(connection: Connection, campaign: int, annotator: int) -> None:
    query = select(labels.c.is_withdrawn).where(labels.c.campaign == campaign, labels.c.annotator == annotator)
    newest = list(connection.execute(query.order_by(labels.c.number.desc()).limit(UNDO_DEPTH)).scalars())
    if len(newest) == UNDO_DEPTH and all(newest):
        raise BadInput(f"{UNDO_DEPTH} answers in a row were taken back.", "Answer one before taking back more.")


def _copied(row: Row[Any]) -> dict[str, Any]:
    """What a row that takes another back has in common with that one."""
    names = ("campaign", "item", "annotator", "question", "answer", "shown_order", "side_coin", "guideline_version")
    return {**{name: getattr(row, name) for name in (*names, "is_blind")}, "supersedes": row.id}
