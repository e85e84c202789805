"""Items to be written down: what is to be asked, checked against its campaign and the pictures there are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import MAX_PICTURES, Answer, Mode
from studio.preference.label import Purpose
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
    needed: int | None,
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
        "wanted": needed,
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


def image_files(connection: Connection, new: Sequence[NewItem]) -> dict[int | str, str]:
    """Reference of a picture -> sha256 of its file. Raises NotFound."""
    references = {picture for item in new for picture in item.pictures}
    numbers = sorted(picture for picture in references if isinstance(picture, int))
    hashes = sorted(picture for picture in references if isinstance(picture, str))
    images: dict[int | str, str] = {}
    for part in parts_of(numbers):
        query = select(generations.c.id, generations.c.image).where(generations.c.id.in_(part))
        images |= {id: image for id, image in connection.execute(query)}
    for part in parts_of(hashes):
        query = select(foreign_pictures.c.image).where(foreign_pictures.c.image.in_(part))
        images |= {image: image for image in connection.execute(query).scalars()}
    if missing := next((picture for picture in [*numbers, *hashes] if picture not in images), None):
        where = "in the history" if isinstance(missing, int) else "among those brought along"
        raise NotFound(f"There is no picture {shown(missing)} {where}.", field="pictures")
    return images


def prompt_numbers(connection: Connection, new: Sequence[NewItem]) -> dict[str, int]:
    """Text of a prompt -> its number; those not known yet are written down."""
    by_text = {item.prompt: item for item in new}
    numbers: dict[str, int] = {}
    for part in parts_of(sorted(by_text)):
        rows = [{"text": text, "category": by_text[text].category, "source": by_text[text].source} for text in part]
        connection.execute(insert_or_ignore(prompts).on_conflict_do_nothing(), rows)
        query = select(prompts.c.text, prompts.c.id).where(prompts.c.text.in_(part))
        numbers |= {text: id for text, id in connection.execute(query)}
    return numbers


def hold_pictures(connection: Connection, campaign: int, new: Sequence[NewItem]) -> None:
    """No purge removes the pictures of a campaign."""
    holder = f"label:campaign:{campaign}"
    numbers = sorted({picture for item in new for picture in item.pictures if isinstance(picture, int)})
    rows = [{"generation": number, "holder": holder} for number in numbers]
    if rows:
        connection.execute(insert_or_ignore(picture_holds).on_conflict_do_nothing(), rows)


def parts_of(values: list[Any]) -> list[list[Any]]:
    """The same in lists short enough for one IN."""
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
