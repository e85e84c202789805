"""The log of answers: rows that are only ever added. What is taken back or changed is one more row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import Answer, Mode, Question
from studio.preference.label import Label
from studio.storage.database import Database
from studio.storage.labels import leases as table
from studio.storage.labels.annotators import annotator_of
from studio.storage.labels.campaigns import Campaign, campaign_of
from studio.storage.labels.items import item_of
from studio.storage.labels.leases import Clock, Lease
from studio.storage.labels.rounds import Rounds
from studio.storage.labels.tallies import count_answers
from studio.storage.schema import annotators, labels, standing_labels

UNDO_DEPTH = 20  # answers in a row that are taken back


class AlreadyAnswered(BadInput):
    """This person has answered this question about this item; a change is said as one, or the answer taken back."""


@dataclass(frozen=True)
class Circumstances:
    """How an answer came about, as the page tells it; all of it may be unknown.

    shown_at, first_paint_at, answered_at: by the page's clock, with a zone; the second when all pictures were painted.
    latency_ms: from then to the answer.
    device: what it was answered on.
    ui_version: of the page.
    confidence: 1 clear, 0.5 slight.
    comment: what the annotator wrote.
    flagged: whether somebody is to look at the item.
    is_blind: False where something of the pictures' making was shown before.
    """

    shown_at: datetime | None = None
    first_paint_at: datetime | None = None
    answered_at: datetime | None = None
    latency_ms: float | None = None
    device: str = ""
    ui_version: str = ""
    confidence: float | None = None
    comment: str = ""
    flagged: bool = False
    is_blind: bool = True


@dataclass(frozen=True)
class Receipt:
    """What whoever sent an answer has in hand: it is on disk.

    id: as it was sent.
    number: of the row; rises with every one.
    item: number of the item.
    created_at: UTC, by the clock of the workspace.
    """

    id: str
    number: int
    item: int
    created_at: datetime


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
        digest = _digest(["vote", token, question, answer.as_json(), *_content(circumstances)])
        with self._database.write() as connection:
            if (receipt := _receipt(connection, id, digest)) is not None:
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
                "answer": _json(answer.as_json()),
                "shown_order": lease.shown_order,
                "side_coin": lease.side_coin,
                "guideline_version": campaign.guideline_version,
                **_columns(circumstances),
            }
            receipt = self._append(connection, row)
            _stand(connection, row, receipt)
            if not table.open_questions(connection, campaign, lease.item, lease.annotator):
                _finish(connection, lease, campaign)
            return receipt

    def undo(self, id: str, campaign: int, alias: str, label: str | None = None) -> tuple[Receipt, Lease]:
        """Take back a person's newest answer of a campaign, and give them the question again, as it stood.

        label: id of the answer that is meant, in place of the newest: a page that undoes what never arrived must not
        take back what did.
        Raises NotFound, also for such an answer that does not stand; BadInput where there is none, or twenty in a row
        were taken back; else as `vote`.
        """
        digest = _digest(["undo", campaign, alias, label])
        with self._database.write() as connection:
            annotator = annotator_of(connection, alias).id
            record = campaign_of(connection, campaign)
            receipt = _receipt(connection, id, digest)
            if receipt is None:
                _check_depth(connection, campaign, annotator)
                row = _newest(connection, campaign, annotator, label)
                if row is None and label is not None:
                    message = "The answer to be taken back does not stand."
                    raise NotFound(message, "It was taken back before, or did not arrive.", field="label")
                if row is None:
                    raise BadInput("There is no answer to take back.")
                receipt = self._append(connection, {**_copied(row), "id": id, "digest": digest, "is_withdrawn": True})
                self._withdraw(connection, row, Clock(self._clock()))
            return receipt, table.lease_for(connection, record, annotator, receipt.item)

    def change(self, id: str, label: str, alias: str, answer: Answer, circumstances: Circumstances) -> Receipt:
        """Put another answer in the place of one's own that stands; both stay in the log.

        id: as of `vote`.
        label: id of the answer that is changed.
        Raises as `vote`; NotFound for a label that is not this person's, BadInput for one that stands no more.
        """
        digest = _digest(["change", label, alias, answer.as_json(), *_content(circumstances)])
        with self._database.write() as connection:
            if (receipt := _receipt(connection, id, digest)) is not None:
                return receipt
            annotator = annotator_of(connection, alias).id
            row = connection.execute(select(labels).where(labels.c.id == label)).one_or_none()
            if row is None or row.annotator != annotator:
                raise NotFound(f"{alias} has given no answer {shown(label)}.", field="label")
            if not _stands(connection, row.number):
                raise BadInput("This answer does not stand any more.", "Change the newest one.", field="label")
            campaign, item = campaign_of(connection, row.campaign), item_of(connection, row.item)
            check_answer(answer, table.mode_of(campaign.mode, item.kind), len(item.images))
            changed = {
                **_copied(row),
                **_columns(circumstances),
                "id": id,
                "digest": digest,
                "answer": _json(answer.as_json()),
                "guideline_version": campaign.guideline_version,
            }
            receipt = self._append(connection, changed)
            _stand_no_more(connection, row)
            _stand(connection, changed, receipt)
            return receipt

    def record(self, brought: Sequence[Label], campaign: int) -> int:
        """Write down labels that were given elsewhere, all or none; give how many were not there yet.

        brought: their `item` is the number of an item of this campaign; whoever answered is written down if new. One
        that supersedes another comes after it. Ids that are there with the same content are passed over.
        Raises NotFound, BadInput, AlreadyAnswered, WorkspaceError; then nothing was written.
        """
        added = 0
        with self._database.write() as connection:
            record = campaign_of(connection, campaign)
            people = {alias: id for alias, id in connection.execute(select(annotators.c.alias, annotators.c.id))}
            for label in brought:
                added += self._record_one(connection, record, label, people)
        return added

    def _record_one(self, connection: Connection, campaign: Campaign, label: Label, people: dict[str, int]) -> bool:
        digest = _digest(
            ["label", label.item, label.annotator, label.question, label.answer.as_json(), label.supersedes]
        )
        if _receipt(connection, label.id, digest) is not None:
            return False
        item = item_of(connection, label.item)
        if item.campaign != campaign.id:
            raise NotFound(f"The campaign has no item number {label.item}.", field="item")
        check_answer(label.answer, label.answer.mode, len(item.images))
        if label.annotator not in people:
            values = {"alias": label.annotator, "created_at": self._clock().isoformat()}
            key = connection.execute(insert(annotators).values(values)).inserted_primary_key
            people[label.annotator] = int(key[0]) if key else 0
        row = {
            "id": label.id,
            "digest": digest,
            "campaign": campaign.id,
            "item": item.id,
            "annotator": people[label.annotator],
            "question": label.question,
            "answer": _json(label.answer.as_json()),
            "shown_order": json.dumps(label.order),
            "side_coin": label.order[0] == 1 if len(label.order) == 2 else None,
            "answered_at": _text(label.answered_at),
            "latency_ms": label.latency_ms,
            "confidence": label.confidence,
            "comment": label.comment,
            "flagged": label.flagged,
            "is_blind": label.is_blind,
            "supersedes": label.supersedes,
            "is_withdrawn": label.is_withdrawn,
        }
        receipt = self._append(connection, row)
        clock = Clock(self._clock())
        table.ensure(connection, campaign, row["annotator"], item, label.order, clock)
        if label.supersedes is not None:
            replaced = connection.execute(select(labels).where(labels.c.id == label.supersedes)).one_or_none()
            if replaced is None or (replaced.item, replaced.annotator) != (item.id, row["annotator"]):
                message = (
                    f"The label {shown(label.id)} supersedes {shown(label.supersedes)}, which is not there before it."
                )
                raise NotFound(message, field="supersedes")
            self._withdraw(connection, replaced, None)
        if not label.is_withdrawn:
            if label.question not in table.open_questions(connection, campaign, item.id, row["annotator"]):
                message = f"{label.annotator} has answered {label.question} about item {item.id} already."
                raise AlreadyAnswered(message, "Say which label it supersedes.", field="supersedes")
            _stand(connection, row, receipt)
            if not table.open_questions(connection, campaign, item.id, row["annotator"]):
                table.finish(connection, item.id, row["annotator"])
        return True

    def _append(self, connection: Connection, row: dict[str, Any]) -> Receipt:
        created_at = self._clock()
        values = {**row, "created_at": created_at.isoformat()}
        key = connection.execute(insert(labels).values(values)).inserted_primary_key
        return Receipt(row["id"], int(key[0]) if key else 0, row["item"], created_at)

    def _withdraw(self, connection: Connection, row: Row[Any], clock: Clock | None) -> None:
        """Let a label stand no more; its person gets the question back where a clock says until when."""
        _stand_no_more(connection, row)
        table.reopen(connection, row.item, row.annotator)
        item = item_of(connection, row.item)
        if item.round is not None and item.origin is not None:
            table.reopen(connection, item.origin, row.annotator)
            Rounds(connection, item.origin, row.annotator).drop_open(after=item.round)
        if clock is not None:
            table.prolong(connection, row.item, row.annotator, clock)
            if item.round is not None and item.origin is not None:
                table.prolong(connection, item.origin, row.annotator, clock)


def check_answer(answer: Answer, mode: Mode, count: int) -> None:
    """Raise BadInput unless it answers a question of that mode about `count` pictures."""
    if answer.mode != mode:
        raise BadInput(f"This item is asked as {mode}, and the answer is one of {answer.mode}.", field="mode")
    if answer.ranks and len(answer.ranks) != count:
        raise BadInput(f"The item has {count} pictures, and the answer ranks {len(answer.ranks)}.", field="ranks")


def _finish(connection: Connection, lease: Row[Any], campaign: Campaign) -> None:
    """All questions about an item are answered: by the answers about the list it belongs to, these may be too."""
    table.finish(connection, lease.item, lease.annotator)
    if campaign.mode == "ranking" and lease.kind == "list":
        Rounds(connection, lease.item, lease.annotator).drop_open()
    if lease.round is not None and Rounds(connection, lease.origin, lease.annotator).is_complete:
        table.finish(connection, lease.origin, lease.annotator)


def _receipt(connection: Connection, id: str, digest: str) -> Receipt | None:
    """The receipt of what was sent before under this id. Raises BadInput if that was something else."""
    row = connection.execute(select(labels).where(labels.c.id == id)).one_or_none()
    if row is None:
        return None
    if row.digest != digest:
        message = f"Something else was sent under the id {shown(id)} before, which stays."
        raise BadInput(message, "Send it under a new id.", field="id")
    return Receipt(row.id, row.number, row.item, datetime.fromisoformat(row.created_at))


def _stand(connection: Connection, row: dict[str, Any], receipt: Receipt) -> None:
    same = {name: row[name] for name in ("item", "annotator", "question", "campaign")}
    values = {**same, "label": receipt.number, "created_at": receipt.created_at.isoformat()}
    connection.execute(insert(standing_labels).values(values))
    count_answers(connection, row["campaign"], row["annotator"], 1)


def _stand_no_more(connection: Connection, row: Row[Any]) -> None:
    if connection.execute(delete(standing_labels).where(standing_labels.c.label == row.number)).rowcount:
        count_answers(connection, row.campaign, row.annotator, -1)


def _stands(connection: Connection, number: int) -> bool:
    return connection.execute(select(1).where(standing_labels.c.label == number)).first() is not None


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
    """What a row that takes another back or changes it has in common with that one."""
    names = ("campaign", "item", "annotator", "question", "answer", "shown_order", "side_coin", "guideline_version")
    return {**{name: getattr(row, name) for name in (*names, "is_blind")}, "supersedes": row.id}


def _columns(circumstances: Circumstances) -> dict[str, Any]:
    values = asdict(circumstances)
    return values | {name: _text(values[name]) for name in ("shown_at", "first_paint_at", "answered_at")}


def _content(circumstances: Circumstances) -> list[Any]:
    """What of it is part of the answer: times differ where something is sent once more."""
    return [getattr(circumstances, name) for name in ("confidence", "comment", "flagged", "is_blind")]


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _digest(values: Any) -> str:
    return hashlib.sha256(_json(values).encode()).hexdigest()
