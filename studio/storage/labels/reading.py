"""The log as labels, read in parts: a hundred thousand of them take no more memory than a thousand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, func, null, select

from studio.core.recipe import Recipe
from studio.preference.answer import Answer
from studio.preference.label import Label, Picture
from studio.storage.database import Database
from studio.storage.schema import (
    annotators,
    campaigns,
    foreign_pictures,
    generations,
    item_pictures,
    items,
    labels,
    leases,
    prompts,
    standing_labels,
)
from studio.storage.unreadable import BROKEN, Reader

PART = 500  # rows read in one transaction


class LabelReader:
    """Reads labels, in the order they were given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, campaigns: Sequence[int] | None = None, *, only_standing: bool = True, with_recipes: bool = True
    ) -> Iterator[Label]:
        """Give labels one by one, as they are when they are read; none that comes in meanwhile, and none that cannot be
        read.

        campaigns: numbers; None for all.
        only_standing: without those that were taken back or changed, and the rows that did so.
        with_recipes: False leaves the pictures' recipes out, which is quicker by far.
        """
        with self._database.read() as connection:
            end = connection.execute(select(func.max(labels.c.number))).scalar_one() or 0
        recipe_of = lru_cache(maxsize=4096)(_recipe)
        last_number = 0
        while last_number < end:
            with self._database.read() as connection:
                rows = self._rows(connection, campaigns, only_standing, last_number, end)
                pictures = _pictures(connection, sorted({row.item for row in rows}), with_recipes)
            for row in rows:
                try:
                    yield _label(row, tuple(_picture(picture, recipe_of) for picture in pictures[row.item]))
                except BROKEN:
                    continue
            if len(rows) < PART:
                break
            last_number = rows[-1].number

    def by_numbers(self, numbers: Sequence[int], *, with_recipes: bool = True) -> Iterator[Label]:
        """Give the labels of these rows, in this order, whether or not they stand.

        Raises WorkspaceError for one that cannot be read: what was frozen is whole, or said not to be.
        """
        recipe_of = lru_cache(maxsize=4096)(_recipe)
        for start in range(0, len(numbers), PART):
            part = list(numbers[start : start + PART])
            with self._database.read() as connection:
                rows = {row.number: row for row in connection.execute(_query().where(labels.c.number.in_(part)))}
                pictures = _pictures(connection, sorted({row.item for row in rows.values()}), with_recipes)
            for number in part:
                row = rows[number]
                views = tuple(_picture(picture, recipe_of) for picture in pictures[row.item])
                yield Reader("Label", "log", "number", lambda row, views=views: _label(row, views)).one(row)

    def marked(self, campaign: int, most: int) -> dict[int, str]:
        """Number of each label of a campaign that is flagged or commented and stands -> token of its question, "" for
        none; the newest `most`, newest first.
        """
        joined = labels.join(standing_labels, standing_labels.c.label == labels.c.number)
        same = (leases.c.item == labels.c.item) & (leases.c.annotator == labels.c.annotator)
        query = select(labels.c.number, leases.c.token).select_from(joined.outerjoin(leases, same))
        query = query.where(labels.c.campaign == campaign, labels.c.flagged | (labels.c.comment != ""))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(labels.c.number.desc()).limit(most)).all()
        return {row.number: row.token or "" for row in rows}

    def tokens(self, ids: Sequence[str]) -> dict[str, str]:
        """Of some labels, by their ids, the tokens of their questions; of those that were asked here."""
        same = (leases.c.item == labels.c.item) & (leases.c.annotator == labels.c.annotator)
        query = select(labels.c.id, leases.c.token).select_from(labels.join(leases, same))
        with self._database.read() as connection:
            rows = connection.execute(query.where(labels.c.id.in_(list(ids[:PART])))).all()
        return {row.id: row.token for row in rows}

    def items_of(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Of the labels of these ids that are there, whether or not they stand: id -> (its campaign, its item)."""
        places: dict[str, tuple[int, int]] = {}
        for start in range(0, len(ids), PART):
            query = select(labels.c.id, labels.c.campaign, labels.c.item)
            with self._database.read() as connection:
                rows = connection.execute(query.where(labels.c.id.in_(list(ids[start : start + PART])))).all()
            places |= {row.id: (row.campaign, row.item) for row in rows}
        return places

    def _rows(
        self, connection: Connection, chosen: Sequence[int] | None, only_standing: bool, behind: int, end: int
    ) -> Sequence[Row[Any]]:
        query = _query().where(labels.c.number > behind, labels.c.number <= end)
        if only_standing:
            query = query.where(
                select(1).where(standing_labels.c.label == labels.c.number).exists(),
            )
        if chosen is not None:
            query = query.where(labels.c.campaign.in_(list(chosen)))
        return connection.execute(query.order_by(labels.c.number).limit(PART)).all()


def _query() -> Any:
    joined = labels.join(items, items.c.id == labels.c.item).join(prompts, prompts.c.id == items.c.prompt)
    joined = joined.join(campaigns, campaigns.c.id == labels.c.campaign)
    joined = joined.join(annotators, annotators.c.id == labels.c.annotator)
    names = (campaigns.c.name.label("campaign_name"), annotators.c.alias, prompts.c.text)
    return select(labels, items.c.purpose, items.c.chosen_by, *names).select_from(joined)


def _pictures(connection: Connection, numbers: Sequence[int], with_recipes: bool) -> dict[int, list[Any]]:
    """Item -> rows of its pictures, in its own order."""
    columns = item_pictures.c
    joined = item_pictures.outerjoin(generations, generations.c.id == columns.generation)
    joined = joined.outerjoin(foreign_pictures, foreign_pictures.c.image == columns.foreign_image)
    image = func.coalesce(generations.c.image, foreign_pictures.c.image).label("image")
    recipe = func.coalesce(generations.c.recipe, foreign_pictures.c.recipe) if with_recipes else null()
    model = func.coalesce(generations.c.model, foreign_pictures.c.model).label("model")
    facts = [columns.item, columns.foreign_image, image, model, foreign_pictures.c.width, foreign_pictures.c.height]
    query = select(*facts, recipe.label("recipe")).select_from(joined)
    pictures: dict[int, list[Any]] = {number: [] for number in numbers}
    for row in connection.execute(query.where(columns.item.in_(numbers)).order_by(columns.item, columns.place)):
        pictures[row.item].append(row)
    return pictures


def _picture(row: Row[Any], recipe_of: Any) -> Picture:
    recipe = None if row.recipe is None else recipe_of(row.recipe)
    is_foreign = row.foreign_image is not None
    width, height = (row.width, row.height) if is_foreign else (recipe.width, recipe.height) if recipe else (0, 0)
    return Picture(row.image, recipe, is_foreign, width, height, row.model or "")


def _recipe(stored: str) -> Recipe | None:
    try:
        return Recipe.from_json(stored)
    except BROKEN:
        return None


def _label(row: Row[Any], pictures: tuple[Picture, ...]) -> Label:
    """Read a row. Raises what `unreadable.BROKEN` names."""
    return Label(
        id=row.id,
        item=row.item,
        campaign=row.campaign_name,
        annotator=row.alias,
        prompt=row.text,
        pictures=pictures,
        answer=Answer.load(json.loads(row.answer)),
        question=row.question,
        order=tuple(json.loads(row.shown_order)),
        answered_at=datetime.fromisoformat(row.answered_at or row.created_at),
        latency_ms=row.latency_ms,
        confidence=row.confidence,
        purpose=row.purpose,
        chosen_by=row.chosen_by,
        is_blind=bool(row.is_blind),
        comment=row.comment,
        flagged=bool(row.flagged),
        supersedes=row.supersedes,
        is_withdrawn=bool(row.is_withdrawn),
    )
