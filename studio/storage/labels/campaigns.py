"""Campaigns: what is asked, in which way, and how often."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from sqlalchemy import Connection, Row, insert, select, update

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import MODES, QUESTIONS, Mode, Question
from studio.storage.database import Database
from studio.storage.schema import campaigns
from studio.storage.unreadable import Reader, text

MainPurpose = Literal["train", "eval"]
Reveal = Literal["never", "after", "end"]
REVEALS: tuple[Reveal, ...] = get_args(Reveal)
READ_AT_MOST = 1000


@dataclass(frozen=True)
class Campaign:
    """One campaign.

    id: its number.
    name: as people know it, unique.
    plan: what its items are made from, plain values (studio.services.labels.plan).
    mode: how its items are asked.
    questions: what is asked of each item, in this order.
    purpose: of its items; those of "eval" (a blind test) are never learned from.
    guideline: what annotators are told to go by.
    target_per_item: answers an item needs, by different people.
    overlap_share: 0 to 1, of the items, which everybody is given.
    repeat_share, check_share: 0 to 1, of what a person is given: earlier items of theirs with sides swapped, and
    attention checks.
    created_at: UTC.
    paused: nothing of it is given out; what was is still accepted.
    archived: as paused, and out of sight.
    reveal: when annotators are told what each picture was: never, after each answer, at the end.
    """

    id: int
    name: str
    plan: dict[str, Any]
    mode: Mode
    questions: tuple[Question, ...]
    purpose: MainPurpose
    guideline: str
    target_per_item: int
    overlap_share: float
    repeat_share: float
    check_share: float
    created_at: datetime
    paused: bool = False
    archived: bool = False
    reveal: Reveal = "never"

    @property
    def guideline_version(self) -> str:
        """Changes with the guideline; "" for none."""
        return hashlib.sha256(self.guideline.encode()).hexdigest()[:12] if self.guideline else ""


class Campaigns:
    """The table of campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        plan: Mapping[str, Any],
        *,
        mode: Mode,
        questions: tuple[Question, ...],
        purpose: MainPurpose = "train",
        guideline: str = "",
        target_per_item: int = 1,
        overlap_share: float = 0.0,
        repeat_share: float = 0.0,
        check_share: float = 0.0,
        reveal: Reveal = "never",
    ) -> Campaign:
        """Write a campaign down. Raises BadInput where there is one of that name; the rest was checked before."""
        row = {
            "name": name,
            "plan": json.dumps(plan, sort_keys=True),
            "mode": mode,
            "questions": json.dumps(questions),
            "purpose": purpose,
            "guideline": guideline,
            "target_per_item": target_per_item,
            "overlap_share": overlap_share,
            "repeat_share": repeat_share,
            "check_share": check_share,
            "reveal": reveal,
            "created_at": datetime.now(UTC).isoformat(),
        }
        with self._database.write() as connection:
            if connection.execute(select(campaigns.c.id).where(campaigns.c.name == name)).first() is not None:
                raise BadInput(f"There is a campaign {shown(name)} already.", "Choose another name.", field="name")
            key = connection.execute(insert(campaigns).values(row)).inserted_primary_key
            return campaign_of(connection, int(key[0]) if key else 0)

    def get(self, id: int) -> Campaign:
        """Give one campaign. Raises NotFound, WorkspaceError if it cannot be read."""
        with self._database.read() as connection:
            return campaign_of(connection, id)

    def find(self, name: str) -> Campaign:
        """Give a campaign by its name, or its number as text. Raises as `get`."""
        with self._database.read() as connection:
            row = connection.execute(select(campaigns).where(campaigns.c.name == name)).one_or_none()
            if row is not None:
                return READER.one(row)
            if name.isascii() and name.isdigit() and len(name) < 19:
                return campaign_of(connection, int(name))
        raise NotFound(f"There is no campaign {shown(name)}.", "`label campaign list` shows those there are.")

    def list(self, archived: bool = False) -> list[Campaign]:
        """Give the campaigns, newest first; those that cannot be read are left out.

        archived: the archived as well.
        """
        query = select(campaigns).order_by(campaigns.c.id.desc()).limit(READ_AT_MOST)
        if not archived:
            query = query.where(campaigns.c.archived.is_(False))
        with self._database.read() as connection:
            return READER.many(connection.execute(query).all())[0]

    def change(
        self, id: int, *, paused: bool | None = None, archived: bool | None = None, guideline: str | None = None
    ) -> Campaign:
        """Pause, archive or go on; put another guideline in place. None leaves as it is. Raises NotFound."""
        values = {"paused": paused, "archived": archived, "guideline": guideline}
        changes = {name: value for name, value in values.items() if value is not None}
        with self._database.write() as connection:
            if changes:
                connection.execute(update(campaigns).where(campaigns.c.id == id).values(changes))
            return campaign_of(connection, id)


def campaign_of(connection: Connection, id: int) -> Campaign:
    """Read one campaign within a transaction. Raises as `Campaigns.get`."""
    row = connection.execute(select(campaigns).where(campaigns.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign number {shown(id)}.")
    return READER.one(row)


def _campaign(row: Row[Any]) -> Campaign:
    """Read a row. Raises what `unreadable.BROKEN` names."""
    plan, questions = json.loads(text(row.plan, "plan")), json.loads(text(row.questions, "questions"))
    if not isinstance(plan, dict):
        raise ValueError("its plan is not a JSON object")
    if row.mode not in MODES or not isinstance(questions, list) or not questions or not set(questions) <= {*QUESTIONS}:
        raise ValueError("its mode or its questions are not known")
    if row.purpose not in ("train", "eval"):
        raise ValueError(f"its purpose {row.purpose!r} is not known")
    if row.reveal not in REVEALS:
        raise ValueError(f"it tells what pictures were {row.reveal!r}, which is not known")
    return Campaign(
        id=row.id,
        name=text(row.name, "name"),
        plan=cast("dict[str, Any]", plan),
        mode=row.mode,
        questions=tuple(cast("list[Question]", questions)),
        purpose=row.purpose,
        guideline=text(row.guideline, "guideline"),
        target_per_item=int(row.target_per_item),
        overlap_share=float(row.overlap_share),
        repeat_share=float(row.repeat_share),
        check_share=float(row.check_share),
        created_at=datetime.fromisoformat(text(row.created_at, "time")),
        paused=bool(row.paused),
        archived=bool(row.archived),
        reveal=row.reveal,
    )


READER = Reader("Campaign", "workspace", "id", _campaign)
