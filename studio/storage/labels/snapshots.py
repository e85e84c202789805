"""Snapshots: what a training learns from and what it is tried on, as it was when it was taken, whatever comes later."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.label import Label
from studio.storage.database import Database
from studio.storage.schema import label_snapshots, labels
from studio.storage.unreadable import Reader, text


@dataclass(frozen=True)
class Snapshot:
    """Labels frozen for a training.

    id: number.
    name: unique.
    campaigns: names of those it was taken from.
    seed, held_out_share: of the split by prompt.
    training, held_out: numbers of labels (`LabelReader.by_numbers`), in the order they were given; no prompt has labels
    in both.
    digest: sha256 of ids, answers and sides: equal snapshots, equal digests.
    created_at: UTC.
    """

    id: int
    name: str
    campaigns: tuple[str, ...]
    seed: int
    held_out_share: float
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    digest: str
    created_at: datetime


class Snapshots:
    """The table of snapshots. Nothing in it changes, which a trigger holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self, name: str, campaigns: Sequence[str], trainable: Iterable[Label], seed: int, held_out_share: float
    ) -> Snapshot:
        """Freeze labels under a name.

        trainable: may be learned from; which of their prompts are held out is drawn from the seed.
        Raises BadInput where there is none, or the name is taken.
        """
        sides: dict[str, str] = {}
        prompts: dict[str, str] = {}
        answers: dict[str, Any] = {}
        for label in trainable:
            prompts[label.id] = prompt_key(label.prompt)
            answers[label.id] = label.answer.as_json()
        if not prompts:
            raise BadInput("There is no label to learn from.", "Answer something first; checks and skips do not count.")
        apart = held_out_prompts(prompts.values(), seed, held_out_share)
        sides = {id: "held out" if prompt in apart else "training" for id, prompt in prompts.items()}
        content = "\n".join(json.dumps([id, answers[id], side], sort_keys=True) for id, side in sorted(sides.items()))
        digest = hashlib.sha256(content.encode()).hexdigest()
        with self._database.write() as connection:
            query = select(label_snapshots.c.id).where(label_snapshots.c.name == name)
            if connection.execute(query).first() is not None:
                raise BadInput(f"There is a snapshot {shown(name)} already.", "Choose another name.", field="name")
            numbers = {
                id: number for id, number in connection.execute(select(labels.c.id, labels.c.number)) if id in sides
            }
            ordered = sorted(sides, key=lambda id: numbers[id])
            row = {
                "name": name,
                "campaigns": json.dumps(list(campaigns)),
                "seed": seed,
                "held_out_share": held_out_share,
                "training": json.dumps([numbers[id] for id in ordered if sides[id] == "training"]),
                "held_out": json.dumps([numbers[id] for id in ordered if sides[id] == "held out"]),
                "digest": digest,
                "created_at": datetime.now(UTC).isoformat(),
            }
            connection.execute(insert(label_snapshots).values(row))
        return self.get(name)

    def get(self, name: str) -> Snapshot:
        """Give a snapshot by its name. Raises NotFound, WorkspaceError if it cannot be read."""
        with self._database.read() as connection:
            query = select(label_snapshots).where(label_snapshots.c.name == name)
            row = connection.execute(query).one_or_none()
        if row is None:
            hint = "`label snapshot list` shows those there are, and `label snapshot take` makes one."
            raise NotFound(f"There is no snapshot {shown(name)}.", hint)
        return READER.one(row)

    def list(self) -> list[Snapshot]:
        """Give all that can be read, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(label_snapshots).order_by(label_snapshots.c.id.desc())).all()
        return READER.many(rows)[0]


def prompt_key(prompt: str) -> str:
    """What two prompts have in common that ask for the same: they stand on one side of a split."""
    return " ".join(prompt.casefold().split())


def held_out_prompts(prompts: Iterable[str], seed: int, share: float) -> set[str]:
    """Draw prompts from a seed: the share, rounded up, but one is always left to learn from.

    The same of the same prompts, in whatever order they come.
    """
    distinct = sorted(set(prompts), key=lambda prompt: (hashlib.sha256(f"{seed}:{prompt}".encode()).digest(), prompt))
    return set(distinct[: min(math.ceil(share * len(distinct)), len(distinct) - 1)])


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(
        id=row.id,
        name=text(row.name, "name"),
        campaigns=tuple(json.loads(text(row.campaigns, "campaigns"))),
        seed=int(row.seed),
        held_out_share=float(row.held_out_share),
        training=tuple(json.loads(text(row.training, "labels"))),
        held_out=tuple(json.loads(text(row.held_out, "labels"))),
        digest=text(row.digest, "digest"),
        created_at=datetime.fromisoformat(text(row.created_at, "time")),
    )


READER = Reader("Snapshot", "workspace", "id", _snapshot)
