"""Items: questions, each about the pictures of one prompt."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from studio.core.errors import NotFound
from studio.core.params import shown
from studio.preference.answer import Answer
from studio.preference.label import Purpose
from studio.storage.database import Database
from studio.storage.labels import tallies
from studio.storage.labels.campaigns import campaign_of
from studio.storage.labels.new_items import (
    Kind,
    NewItem,
    Status,
    check_item,
    hold_pictures,
    image_files,
    insert_item,
    parts_of,
    prompt_numbers,
)
from studio.storage.labels.shares import is_chosen
from studio.storage.schema import generations, item_pictures, items, prompts


@dataclass(frozen=True)
class Item:
    """A question as it stands.

    id: number.
    campaign: number of its campaign.
    prompt: what the pictures were to show.
    kind: single, pair, list.
    purpose: as of `studio.preference.label.Label`.
    status: queued, done, aside (given by rule), retired.
    wanted: answers by different people, None for everybody's.
    answers: people who answered all its questions.
    chosen_by, score: how it was chosen.
    expected: of a check, the answer that shows attention.
    origin: item that a repeat repeats, or list that a round ranks.
    round: of a ranking, from 0.
    images: sha256 of its pictures, in its own order.
    """

    id: int
    campaign: int
    prompt: str
    kind: Kind
    purpose: Purpose
    status: Status
    wanted: int | None
    answers: int
    chosen_by: str
    score: float | None
    expected: Answer | None
    origin: int | None
    round: int | None
    images: tuple[str, ...]


class Items:
    """The tables of items, their pictures and prompts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, campaign: int, new: Sequence[NewItem]) -> list[int]:
        """Write items down, all or none; give their numbers. They are asked in this order, after those there are.

        Their pictures are held from now on: no purge removes them.
        Raises NotFound for a campaign or picture that is not there; BadInput for pictures that the campaign's mode does
        not ask about, or one picture twice.
        """
        with self._database.write() as connection:
            record = campaign_of(connection, campaign)
            images = image_files(connection, new)
            for item in new:
                check_item(item, record.mode, images)
            numbers = prompt_numbers(connection, new)
            ordinal = _main_count(connection, campaign)
            ids: list[int] = []
            for item in new:
                purpose = item.purpose or record.purpose
                is_main = purpose in ("train", "eval")
                is_shared = is_main and is_chosen(f"shared:{campaign}", ordinal, record.overlap_share)
                ordinal += is_main
                needed = None if is_shared or not is_main else record.target_per_item
                status: Status = "queued" if is_main else "aside"
                ids.append(insert_item(connection, campaign, numbers[item.prompt], item, purpose, status, needed))
            hold_pictures(connection, campaign, new)
            tallies.recount_items(connection, campaign)
            return ids

    def get(self, id: int) -> Item:
        """Give one item. Raises NotFound."""
        with self._database.read() as connection:
            return item_of(connection, id)

    def retire(self, ids: Collection[int]) -> int:
        """Ask these no more; answers that come all the same are accepted. Gives how many were still asked."""
        retired = 0
        with self._database.write() as connection:
            for part in parts_of(sorted(set(ids))):
                query = update(items).where(items.c.id.in_(part), items.c.status.in_(("queued", "aside")))
                retired += connection.execute(query.values(status="retired")).rowcount
                of_campaigns = select(items.c.campaign).where(items.c.id.in_(part)).distinct()
                for campaign in list(connection.execute(of_campaigns).scalars()):
                    tallies.recount_items(connection, campaign)
        return retired

    def right_answers(self, campaign: int) -> dict[int, Answer]:
        """Attention check -> the answer that shows attention; those without one are left out."""
        columns = items.c
        query = select(columns.id, columns.expected).where(columns.campaign == campaign, columns.purpose == "check")
        with self._database.read() as connection:
            rows = connection.execute(query.where(columns.expected.is_not(None))).all()
        return {row.id: Answer.load(json.loads(row.expected)) for row in rows}

    def queued(self, campaign: int, limit: int, after_item: int = 0) -> list[int]:
        """Give numbers of up to `limit` items that somebody may still be asked, in the order of the queue."""
        columns = items.c
        query = select(columns.id).where(
            columns.campaign == campaign, columns.status == "queued", columns.id > after_item
        )
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(columns.id).limit(limit)).scalars())


def item_of(connection: Connection, id: int) -> Item:
    """Read one item within a transaction. Raises NotFound."""
    query = select(items, prompts.c.text.label("prompt_text")).join(prompts, prompts.c.id == items.c.prompt)
    row = connection.execute(query.where(items.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no item number {shown(id)}.", field="item")
    return _item(row, images_of(connection, id))


def images_of(connection: Connection, item: int) -> tuple[str, ...]:
    """The sha256 of an item's pictures, in its own order."""
    image = func.coalesce(generations.c.image, item_pictures.c.foreign_image)
    joined = item_pictures.outerjoin(generations, generations.c.id == item_pictures.c.generation)
    query = select(image).select_from(joined).where(item_pictures.c.item == item).order_by(item_pictures.c.place)
    return tuple(connection.execute(query).scalars())


def references_of(connection: Connection, item: int) -> tuple[int | str, ...]:
    """An item's pictures as `NewItem` names them, in its own order."""
    columns = item_pictures.c
    query = select(columns.generation, columns.foreign_image).where(columns.item == item).order_by(columns.place)
    return tuple(image if generation is None else generation for generation, image in connection.execute(query))


def _item(row: Row[Any], images: tuple[str, ...]) -> Item:
    expected = None if row.expected is None else Answer.load(json.loads(row.expected))
    return Item(
        id=row.id,
        campaign=row.campaign,
        prompt=row.prompt_text,
        kind=row.kind,
        purpose=row.purpose,
        status=row.status,
        wanted=row.wanted,
        answers=row.answers,
        chosen_by=row.chosen_by,
        score=row.score,
        expected=expected,
        origin=row.origin,
        round=row.round,
        images=images,
    )


def _main_count(connection: Connection, campaign: int) -> int:
    query = select(func.count()).where(items.c.campaign == campaign, items.c.purpose.in_(("train", "eval")))
    return connection.execute(query.where(items.c.origin.is_(None))).scalar_one()
