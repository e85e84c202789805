"""Items: questions, each about the pictures of one prompt."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import MAX_PICTURES, Answer, Mode
from studio.preference.label import Purpose
from studio.storage.database import Database
from studio.storage.labels import tallies
from studio.storage.labels.campaigns import campaign_of
from studio.storage.labels.shares import is_chosen
from studio.storage.schema import foreign_pictures, generations, item_pictures, items, picture_holds, prompts

Kind = Literal["single", "pair", "list"]
Status = Literal["queued", "done", "aside", "retired"]
MAX_PROMPT_CHARS = 10_000
_CHUNK = 500  # values of one IN, well below what any database takes


@dataclass(frozen=True)
class NewItem:
    """What is to be asked.

    prompt: what the pictures were to show.
    pictures: in the item's own order, each a number of the history, or the sha256 of a picture that was brought along.
    purpose: None for that of the campaign; "check" for an attention check.
    chosen_by: "random", or the name of what chose it.
    score: its acquisition score, where it has one.
    expected: of a check, the answer that shows attention.
    category, source: of the prompt, where they are known.
    """

    prompt: str
    pictures: tuple[int | str, ...]
    purpose: Purpose | None = None
    chosen_by: str = "random"
    score: float | None = None
    expected: Answer | None = None
    category: str = ""
    source: str = ""


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
            images = _images(connection, new)
            for item in new:
                check_item(item, record.mode, images)
            numbers = _prompt_numbers(connection, new)
            ordinal = _main_count(connection, campaign)
            ids: list[int] = []
            for item in new:
                purpose = item.purpose or record.purpose
                is_main = purpose in ("train", "eval")
                is_shared = is_main and is_chosen(f"shared:{campaign}", ordinal, record.overlap_share)
                ordinal += is_main
                wanted = None if is_shared or not is_main else record.target_per_item
                status: Status = "queued" if is_main else "aside"
                ids.append(insert_item(connection, campaign, numbers[item.prompt], item, purpose, status, wanted))
            _hold(connection, campaign, new)
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
            for part in _parts(sorted(set(ids))):
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

    def queued(self, campaign: int, limit: int, after: int = 0) -> list[int]:
        """Give numbers of up to `limit` items that somebody may still be asked, in the order of the queue."""
        columns = items.c
        query = select(columns.id).where(columns.campaign == campaign, columns.status == "queued", columns.id > after)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(columns.id).limit(limit)).scalars())


def check_item(item: NewItem, mode: Mode, images: Mapping[int | str, str]) -> None:
    """Raise BadInput unless a campaign of this mode can ask it.

    images: reference of a picture -> sha256 of its file.
    """
    count = len(item.pictures)
    low, high = {"thumb": (1, 1), "pair": (2, 2), "best_worst": (3, MAX_PICTURES)}.get(mode, (2, MAX_PICTURES))
    if not low <= count <= high:
        many = f"{low}" if low == high else f"{low} to {high}"
        raise BadInput(f"An item asked as {mode} has {many} pictures, not {count}.", field="pictures")
    if len({images[picture] for picture in item.pictures}) != count:
        raise BadInput(f"An item asks about one picture twice: {shown(list(item.pictures))}.", field="pictures")
    prompt: Any = item.prompt
    if not isinstance(prompt, str) or len(prompt) > MAX_PROMPT_CHARS or "\0" in prompt:
        raise BadInput(f"A prompt has at most {MAX_PROMPT_CHARS} characters, unlike {shown(prompt)}.", field="prompt")


def insert_item(
    connection: Connection,
    campaign: int,
    prompt: int,
    item: NewItem,
    purpose: Purpose,
    status: Status,
    wanted: int | None,
    *,
    origin: int | None = None,
    round: int | None = None,
) -> int:
    """Write one item with its pictures; give its number."""
    kind: Kind = {1: "single", 2: "pair"}.get(len(item.pictures), "list")  # type: ignore[assignment]
    row = {
        "campaign": campaign,
        "prompt": prompt,
        "kind": kind,
        "purpose": purpose,
        "status": status,
        "wanted": wanted,
        "chosen_by": item.chosen_by,
        "score": item.score,
        "expected": None if item.expected is None else json.dumps(item.expected.as_json(), sort_keys=True),
        "origin": origin,
        "round": round,
        "created_at": datetime.now(UTC).isoformat(),
    }
    key = connection.execute(insert(items).values(row)).inserted_primary_key
    id = int(key[0]) if key else 0
    rows = [
        {
            "item": id,
            "place": place,
            "generation": picture if isinstance(picture, int) else None,
            "foreign_image": picture if isinstance(picture, str) else None,
        }
        for place, picture in enumerate(item.pictures)
    ]
    connection.execute(insert(item_pictures), rows)
    return id


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


def _images(connection: Connection, new: Sequence[NewItem]) -> dict[int | str, str]:
    """Reference of a picture -> sha256 of its file. Raises NotFound."""
    references = {picture for item in new for picture in item.pictures}
    numbers = sorted(picture for picture in references if isinstance(picture, int))
    hashes = sorted(picture for picture in references if isinstance(picture, str))
    images: dict[int | str, str] = {}
    for part in _parts(numbers):
        query = select(generations.c.id, generations.c.image).where(generations.c.id.in_(part))
        images |= {id: image for id, image in connection.execute(query)}
    for part in _parts(hashes):
        query = select(foreign_pictures.c.image).where(foreign_pictures.c.image.in_(part))
        images |= {image: image for image in connection.execute(query).scalars()}
    if missing := next((picture for picture in [*numbers, *hashes] if picture not in images), None):
        where = "in the history" if isinstance(missing, int) else "among those brought along"
        raise NotFound(f"There is no picture {shown(missing)} {where}.", field="pictures")
    return images


def _prompt_numbers(connection: Connection, new: Sequence[NewItem]) -> dict[str, int]:
    """Text of a prompt -> its number; those not known yet are written down."""
    by_text = {item.prompt: item for item in new}
    numbers: dict[str, int] = {}
    for part in _parts(sorted(by_text)):
        rows = [{"text": text, "category": by_text[text].category, "source": by_text[text].source} for text in part]
        connection.execute(insert_or_ignore(prompts).on_conflict_do_nothing(), rows)
        query = select(prompts.c.text, prompts.c.id).where(prompts.c.text.in_(part))
        numbers |= {text: id for text, id in connection.execute(query)}
    return numbers


def _main_count(connection: Connection, campaign: int) -> int:
    query = select(func.count()).where(items.c.campaign == campaign, items.c.purpose.in_(("train", "eval")))
    return connection.execute(query.where(items.c.origin.is_(None))).scalar_one()


def _hold(connection: Connection, campaign: int, new: Sequence[NewItem]) -> None:
    holder = f"label:campaign:{campaign}"
    numbers = sorted({picture for item in new for picture in item.pictures if isinstance(picture, int)})
    rows = [{"generation": number, "holder": holder} for number in numbers]
    if rows:
        connection.execute(insert_or_ignore(picture_holds).on_conflict_do_nothing(), rows)


def _parts(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
