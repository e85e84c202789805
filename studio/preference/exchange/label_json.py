"""A whole label as JSON values, and back from values that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, cast, get_args

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import QUESTIONS, Answer, Question
from studio.preference.exchange.incoming import annotator_name, plain_text, prompt_text, time_of
from studio.preference.label import Label, Picture, Purpose

MAX_COMMENT = 2000
MAX_LATENCY_MS = 7 * 24 * 3600 * 1000.0
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
FIELDS = (
    "id prompt pictures answer question annotator answered_at order latency_ms confidence purpose chosen_by is_blind "
    "comment flagged supersedes is_withdrawn"
).split()


def label_values(label: Label) -> dict[str, Any]:
    """A label as plain values. What is at its default is left out; so are the item and the campaign, which are whoever
    takes it in.
    """
    values: dict[str, Any] = {
        "id": label.id,
        "prompt": label.prompt,
        "pictures": [_picture_values(picture) for picture in label.pictures],
        "answer": label.answer.as_json(),
    }
    optional: dict[str, Any] = {
        "question": label.question if label.question != "overall" else None,
        "annotator": label.annotator or None,
        "answered_at": None if label.answered_at is None else label.answered_at.astimezone(UTC).isoformat(),
        "order": list(label.order) or None,
        "latency_ms": label.latency_ms,
        "confidence": label.confidence,
        "purpose": label.purpose if label.purpose != "train" else None,
        "chosen_by": label.chosen_by if label.chosen_by != "random" else None,
        "is_blind": None if label.is_blind else False,
        "comment": label.comment or None,
        "flagged": label.flagged or None,
        "supersedes": label.supersedes,
        "is_withdrawn": label.is_withdrawn or None,
    }
    return values | {name: value for name, value in optional.items() if value is not None}


def label_of(values: object) -> Label:
    """A label out of plain values; its pictures have no size yet. Raises BadInput with a clause or a sentence."""
    if not isinstance(values, Mapping):
        raise BadInput(f"it is {shown(values)}, no JSON object")
    fields = cast("Mapping[str, Any]", values)
    pictures = fields.get("pictures")
    if not isinstance(pictures, list):
        raise BadInput(f"its pictures are {shown(pictures)}, no list")
    answer = Answer.load(fields.get("answer"))
    judged = tuple(_picture_of(value) for value in cast("list[Any]", pictures))
    needed = len(answer.ranks) if answer.ranks else 1 if answer.mode == "thumb" else len(judged)
    if len(judged) != needed or not judged:
        raise BadInput(f"it has {len(judged)} pictures, and its answer is about {max(needed, 1)}")
    supersedes = fields.get("supersedes")
    return Label(
        id=_name(fields, "id"),
        item=0,
        campaign="",
        annotator=annotator_name(fields.get("annotator", "")),
        prompt=prompt_text(fields.get("prompt")),
        pictures=judged,
        answer=answer,
        question=cast("Question", _one_of(fields, "question", QUESTIONS, "overall")),
        order=_order(fields.get("order", []), len(judged)),
        answered_at=time_of(fields.get("answered_at"), "answered_at"),
        latency_ms=_number(fields, "latency_ms", MAX_LATENCY_MS),
        confidence=_confidence(fields),
        purpose=cast("Purpose", _one_of(fields, "purpose", PURPOSES, "train")),
        chosen_by=plain_text(fields.get("chosen_by", "random"), "chosen_by"),
        is_blind=_flag(fields, "is_blind", default=True),
        comment=plain_text(fields.get("comment", ""), "comment", MAX_COMMENT),
        flagged=_flag(fields, "flagged"),
        supersedes=None if supersedes is None else plain_text(supersedes, "supersedes"),
        is_withdrawn=_flag(fields, "is_withdrawn"),
    )


def _picture_values(picture: Picture) -> dict[str, Any]:
    return {"sha256": picture.sha256} | ({"model": picture.model} if picture.model else {})


def _picture_of(value: object) -> Picture:
    if not isinstance(value, Mapping):
        raise BadInput(f"one of its pictures is {shown(value)}, no JSON object")
    fields = cast("Mapping[str, Any]", value)
    sha256 = plain_text(fields.get("sha256", ""), "picture's sha256", 64)
    model = plain_text(fields.get("model", ""), "picture's model")
    return Picture(sha256, foreign=True, model=model)


def _name(fields: Mapping[str, Any], name: str) -> str:
    text = plain_text(fields.get(name), name)
    if not text or not text.isprintable():
        raise BadInput(f"its {name} is {shown(text)}")
    return text


def _one_of(fields: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise BadInput(f"its {name} is {shown(value)}, not {', '.join(choices)}")
    return value


def _order(value: object, count: int) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise BadInput(f"its order is {shown(value)}, no list")
    numbers = cast("list[Any]", value)
    if numbers and (any(type(n) is not int for n in numbers) or sorted(numbers) != list(range(count))):
        raise BadInput(f"its order is {shown(numbers)}, not 0 to {count - 1} in some order")
    return tuple(numbers)


def _number(fields: Mapping[str, Any], name: str, most: float) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadInput(f"its {name} is {shown(value)}, not a number from 0 to {most:g}")
    return float(value)


def _confidence(fields: Mapping[str, Any]) -> float | None:
    value = _number(fields, "confidence", 1.0)
    if value == 0:
        raise BadInput("its confidence is 0, which is no answer")
    return value


def _flag(fields: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise BadInput(f"its {name} is {shown(value)}, neither true nor false")
    return value
