"""Rows of the log, and what stands by them: what answering, taking back and bringing labels along have in common."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import Answer, Mode
from studio.storage.labels import leases as table
from studio.storage.labels.items import item_of
from studio.storage.labels.leases import Clock
from studio.storage.labels.rounds import Rounds
from studio.storage.labels.tallies import count_answers
from studio.storage.schema import labels, standing_labels


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


def check_answer(answer: Answer, mode: Mode, count: int) -> None:
    """Raise BadInput unless it answers a question of that mode about `count` pictures."""
    if answer.mode != mode:
        raise BadInput(f"This item is asked as {mode}, and the answer is one of {answer.mode}.", field="mode")
    if answer.ranks and len(answer.ranks) != count:
        raise BadInput(f"The item has {count} pictures, and the answer ranks {len(answer.ranks)}.", field="ranks")


def append(connection: Connection, row: dict[str, Any], now: datetime) -> Receipt:
    """Add a row to the log."""
    values = {**row, "created_at": now.isoformat()}
    key = connection.execute(insert(labels).values(values)).inserted_primary_key
    return Receipt(row["id"], int(key[0]) if key else 0, row["item"], now)


def receipt_of(connection: Connection, id: str, digest: str) -> Receipt | None:
    """The receipt of what was sent before under this id. Raises BadInput if that was something else."""
    row = connection.execute(select(labels).where(labels.c.id == id)).one_or_none()
    if row is None:
        return None
    check_same(id, row.digest, digest)
    return Receipt(row.id, row.number, row.item, datetime.fromisoformat(row.created_at))


def check_same(id: str, stored: str, digest: str) -> None:
    """Raise BadInput unless what is sent under an id is what was sent under it before."""
    if stored != digest:
        message = f"Something else was sent under the id {shown(id)} before, which stays."
        raise BadInput(message, "Send it under a new id.", field="id")


def stand(connection: Connection, row: dict[str, Any], receipt: Receipt) -> None:
    """Let a row that was added stand."""
    same = {name: row[name] for name in ("item", "annotator", "question", "campaign")}
    values = {**same, "label": receipt.number, "created_at": receipt.created_at.isoformat()}
    connection.execute(insert(standing_labels).values(values))
    count_answers(connection, row["campaign"], row["annotator"], 1)


def stand_no_more(connection: Connection, row: Row[Any]) -> bool:
    """Let a label stand no more; False where it did not."""
    stood = bool(connection.execute(delete(standing_labels).where(standing_labels.c.label == row.number)).rowcount)
    if stood:
        count_answers(connection, row.campaign, row.annotator, -1)
    return stood


def withdraw(connection: Connection, row: Row[Any], clock: Clock | None) -> None:
    """Let a label stand no more; its person gets the question back where a clock says until when."""
    if not stand_no_more(connection, row):
        return
    table.reopen(connection, row.item, row.annotator)
    item = item_of(connection, row.item)
    if item.round is not None and item.origin is not None:
        table.reopen(connection, item.origin, row.annotator)
        Rounds(connection, item.origin, row.annotator).drop_open(last_kept=item.round)
    if clock is not None:
        table.prolong(connection, row.item, row.annotator, clock)
        if item.round is not None and item.origin is not None:
            table.prolong(connection, item.origin, row.annotator, clock)


def columns_of(circumstances: Circumstances) -> dict[str, Any]:
    """What the log keeps of the circumstances of an answer."""
    values = asdict(circumstances)
    return values | {name: text_of(values[name]) for name in ("shown_at", "first_paint_at", "answered_at")}


def content_of(circumstances: Circumstances) -> list[Any]:
    """What of it is part of the answer: times differ where something is sent once more."""
    return [getattr(circumstances, name) for name in ("confidence", "comment", "flagged", "is_blind")]


def text_of(time: datetime | None) -> str | None:
    """A time as the database has it, UTC."""
    return None if time is None else time.astimezone(UTC).isoformat()


def json_of(values: Any) -> str:
    """The one JSON text of plain values."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def digest_of(values: Any) -> str:
    """sha256 of plain values, in hex."""
    return hashlib.sha256(json_of(values).encode()).hexdigest()
