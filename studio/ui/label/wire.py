"""What the pad and the studio tell each other, as JSON. Pictures are numbered by their place on the screen, from the
left; how that follows from an item's own order no page is told, for it could say which of two recipes is which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import BOTH_BAD, BOTH_GOOD, FIRST, QUESTIONS, SECOND, SKIP, TIE, Answer, Mode, Question
from studio.services.labels.assignment import Assignment
from studio.services.labels.reveal import Revealed
from studio.ui.values import is_number

MAX_COMMENT_CHARS = 2000
MAX_NAME_CHARS = 80  # of an annotator
MAX_IN_HAND = 64  # items that a page holds
MAX_AT_ONCE = 8  # items of one answer
MAX_KEYS = 60  # actions with keys of their own
MAX_KEY_CHARS = 40  # names of keys of one action
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,80}")
_ACTION = re.compile(r"[a-z_0-9]{1,20}")
_MOST_MS = 4e12  # of a page's clock, in the year 2096
OUTCOMES = {"left": FIRST, "right": SECOND, TIE: TIE, BOTH_GOOD: BOTH_GOOD, BOTH_BAD: BOTH_BAD}
ASKS: dict[Question, str] = {
    "overall": "Which one do you prefer?",
    "prompt": "Which one follows the prompt better?",
    "look": "Which one looks better, whatever the prompt says?",
}
ASKS_OF_ONE: dict[Question, str] = {
    "overall": "Do you like it?",
    "prompt": "Does it follow the prompt?",
    "look": "Does it look good, whatever the prompt says?",
}


def item_json(assignment: Assignment, base: str) -> list[dict[str, Any]]:
    """What a page needs to ask an item: an entry for each question that is open. base: of the pad's addresses."""
    pictures = [{"src": f"{base}/picture/{assignment.token}-{place}"} for place in range(assignment.count)]
    asks = ASKS if assignment.count > 1 else ASKS_OF_ONE
    return [
        {
            "id": assignment.token,
            "question": question,
            "ask": asks[question],
            "mode": assignment.mode,
            "prompt": assignment.prompt,
            "pictures": pictures,
            "flagged": assignment.is_flagged,
        }
        for question in assignment.questions
    ]


def revealed_json(revealed: Revealed, base: str) -> dict[str, Any]:
    """What a page is told of pictures once they are judged: from the left, as they stood. base: as above."""
    return {
        "ask": ASKS[revealed.question] if len(revealed.pictures) > 1 else ASKS_OF_ONE[revealed.question],
        "prompt": revealed.prompt,
        "pictures": [
            {
                "src": f"{base}/picture/{revealed.token}-{place}",
                "facts": [list(fact) for fact in making.facts],
                "verdict": making.verdict,
            }
            for place, making in enumerate(revealed.pictures)
        ],
    }


def answer_of(values: Any, mode: Mode, count: int) -> Answer:
    """An answer about the pictures as they stand on the screen: the first is the left one.

    values: {"outcome": left, right, tie, both_good, both_bad, good, bad, skip}, or {"best": place} with a "worst".
    count: of pictures.
    Raises BadInput for what answers no such item.
    """
    fields = _fields(values, "An answer")
    if "best" in fields:
        best = _picture(fields, "best", count)
        if mode == "best" and set(fields) == {"best"}:
            return Answer.best(best, count)
        if mode == "best_worst" and set(fields) == {"best", "worst"}:
            return Answer.best_worst(best, _picture(fields, "worst", count), count)
    elif set(fields) == {"outcome"} and isinstance(fields["outcome"], str):
        outcome = fields["outcome"]
        if outcome == SKIP:
            return Answer(mode)
        if mode == "thumb" and outcome in ("good", "bad"):
            return Answer.thumb(outcome == "good")
        if mode == "pair" and outcome in OUTCOMES:
            return Answer.pair(OUTCOMES[outcome])
    raise BadInput(f"An item asked as {mode} is not answered by {shown(values)}.", field="answer")


def read_vote(values: Any) -> dict[str, Any]:
    """The fields of a vote, each checked: id, item, question, answer (unread), circumstances. Raises BadInput."""
    fields = _fields(values, "A vote")
    known_fields = {
        *(
            "id",
            "annotator",
            "campaign",
            "item",
            "question",
            "answer",
            "shown_at",
            "first_paint_at",
            "answered_at",
            "latency_ms",
        ),
        *("flagged", "comment", "confidence", "device"),
    }
    if unknown := sorted(set(fields) - known_fields):
        raise BadInput(f"A vote has no {shown(unknown[0])}.", field=unknown[0])
    question, comment, flagged = fields.get("question"), fields.get("comment", ""), fields.get("flagged", False)
    if question not in QUESTIONS:
        raise BadInput(f"A question is {', '.join(QUESTIONS)}, not {shown(question)}.", field="question")
    if not _is_text(comment, MAX_COMMENT_CHARS):
        message = f"A comment is text of at most {MAX_COMMENT_CHARS} characters, not {shown(comment)}."
        raise BadInput(message, field="comment")
    if type(flagged) is not bool:
        raise BadInput(f"An item is flagged (true) or not (false), not {shown(flagged)}.", field="flagged")
    confidence = fields.get("confidence")
    if confidence is not None and (type(confidence) not in (int, float) or confidence not in (0.5, 1)):
        raise BadInput(f"A confidence is 1 (clear) or 0.5 (slight), not {shown(confidence)}.", field="confidence")
    return {
        "id": read_id(fields),
        "item": read_token(fields.get("item")),
        "question": question,
        "answer": fields.get("answer"),
        "comment": comment,
        "flagged": flagged,
        "confidence": None if confidence is None else float(confidence),
        "latency_ms": _milliseconds(fields, "latency_ms"),
        "device": fields["device"] if fields.get("device") in ("touch", "pointer") else "",
        **{name: _time(fields, name) for name in ("shown_at", "first_paint_at", "answered_at")},
    }


def read_id(values: Any) -> str:
    """What a page gave something that it sent, to be known again by. Raises BadInput."""
    id = _fields(values, "What is sent").get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise BadInput(f"An id is 8 to 64 letters and digits, not {shown(id)}.", field="id")
    return id


def read_token(value: Any) -> str:
    """What an item is known to a page by. Raises BadInput for what cannot be one."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise BadInput(f"{shown(value)} names no item.", field="item")
    return value


def read_place(value: str) -> tuple[str, int]:
    """Token and place of a picture's address. Raises BadInput."""
    token, _, place = value.rpartition("-")
    if not (place.isascii() and place.isdecimal() and len(place) <= 2):
        raise BadInput(f"{shown(value)} names no picture.")
    return read_token(token), int(place)


def read_in_hand(text: str) -> list[str]:
    """Tokens that a page has, out of an address. Raises BadInput."""
    tokens = [token for token in text.split(",") if token]
    if len(tokens) > MAX_IN_HAND:
        raise BadInput(f"A page holds at most {MAX_IN_HAND} items, not {len(tokens)}.", field="have")
    return [read_token(token) for token in tokens]


def read_count(text: str) -> int:
    """How many items to give. Raises BadInput."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= MAX_AT_ONCE):
        raise BadInput(f"1 to {MAX_AT_ONCE} items are given at once, not {shown(text)}.", field="count")
    return int(text)


def read_number(value: Any, noun: str) -> int:
    """A number of ours, as a page sends it back: as text. Raises BadInput."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadInput(f"{shown(value)} names no {noun}.", field=noun)
    return int(text)


def read_name(value: Any) -> str:
    """The name of an annotator. Raises BadInput."""
    if not _is_text(value, MAX_NAME_CHARS) or not value.strip():
        raise BadInput(f"A name is text of at most {MAX_NAME_CHARS} characters, not {shown(value)}.", field="annotator")
    return " ".join(value.split())


def read_switch(values: Any) -> tuple[str, bool]:
    """Whose link is to be made (true) or ended. values: annotator, on. Raises BadInput."""
    fields = _fields(values, "What is sent")
    is_on: Any = fields.get("on")
    if type(is_on) is not bool:
        raise BadInput(f"A link is made (true) or ended (false), not {shown(is_on)}.", field="on")
    return read_name(fields.get("annotator")), is_on


def read_keys(values: Any) -> dict[str, str]:
    """Somebody's own keys: action -> names as KeyboardEvent.key has them, with spaces between. Raises BadInput."""
    keys = _fields(values, "A set of keys")
    if len(keys) > MAX_KEYS:
        raise BadInput(f"At most {MAX_KEYS} actions have keys, not {len(keys)}.", field="keys")
    for action, names in keys.items():
        if not (_ACTION.fullmatch(action) and _is_text(names, MAX_KEY_CHARS)):
            raise BadInput(f"A set of keys names an action and its keys, not {shown({action: names})}.", field="keys")
    return keys


def _fields(values: Any, noun: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise BadInput(f"{noun} is a JSON object, not {shown(values)}.")
    return dict(cast("Mapping[str, Any]", values))


def _picture(fields: Mapping[str, Any], name: str, count: int) -> int:
    place: Any = fields[name]
    if type(place) is not int or not 0 <= place < count:
        raise BadInput(f"The {name} picture is one of 0 to {count - 1}, not {shown(place)}.", field="answer")
    return place


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\0" not in value and value.isprintable() | ("\n" in value)


def _milliseconds(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if not is_number(value) or not 0 <= value <= _MOST_MS:
        raise BadInput(f"The {name} is a time in milliseconds, not {shown(value)}.", field=name)
    return float(value)


def _time(fields: Mapping[str, Any], name: str) -> datetime | None:
    value = _milliseconds(fields, name)
    return None if value is None else datetime.fromtimestamp(value / 1000, UTC)
