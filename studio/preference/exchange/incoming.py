"""What a file gives when it is read: labels with their pictures, and rows that cannot be read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from studio.core.errors import BadInput, Cancelled
from studio.core.params import shown
from studio.core.recipe import MAX_PROMPT_CHARS
from studio.preference.answer import Answer
from studio.preference.exchange.picture_files import PictureChecker
from studio.preference.label import Label, Picture

MAX_NAME = 200  # characters of an id, a model
MAX_ANNOTATOR = 80


@dataclass(frozen=True)
class IncomingLabel:
    """A label that was read. Its item is 0 and its campaign empty: whoever takes it in says which.

    row: of the file, from 1; of a label in several rows, the first.
    files: of the label's pictures, in their order, each a whole PNG, JPEG or WebP.
    has_own_id: whether the label's id stands in the file, and was not made up from the row.
    """

    row: int
    label: Label
    files: tuple[bytes, ...]
    has_own_id: bool = False


@dataclass(frozen=True)
class RefusedRow:
    """A row that is not taken.

    row: of the file, from 1.
    reason: a clause.
    """

    row: int
    reason: str


Row = IncomingLabel | RefusedRow


@dataclass
class Reading:
    """A file that is being read. Iterate it once.

    rows: what it holds, in its order.
    total: how many rows it has; None where that is not known before the end.
    unknown: names of columns that nothing is done with -> in how many rows; grows while rows are read.
    remarks: sentences about the file; grows likewise.
    """

    rows: Iterator[Row]
    total: int | None = None
    unknown: Counter[str] = field(default_factory=Counter[str])
    remarks: list[str] = field(default_factory=list[str])

    def __iter__(self) -> Iterator[Row]:
        return self.rows


def watched(rows: Iterator[Row], stop: Callable[[], bool], name: str) -> Iterator[Row]:
    """The same rows; what says again what was said before is refused.

    name: of the file.
    Said again: under the same id; where the file has no ids, the same pictures, whatever their order, judged by the
    same annotator at the same time. Where nothing says when, nobody can know, and the row is taken.
    Raises BadInput if there are no rows, Cancelled when `stop` says so.
    """
    seen: dict[bytes, int] = {}
    is_empty = True
    for row in rows:
        if stop():
            raise Cancelled("The import was stopped.")
        is_empty = False
        mark = _mark(row) if isinstance(row, IncomingLabel) else None
        if mark is not None:
            words, text = mark
            key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
            if (first := seen.setdefault(key, row.row)) != row.row:
                yield RefusedRow(row.row, f"{words} as row {first}")
                continue
        yield row
    if is_empty:
        raise BadInput(f"{name} has no rows.")


def _mark(incoming: IncomingLabel) -> tuple[str, str] | None:
    """By what a label is known, in words and as text; None where nothing does."""
    label = incoming.label
    if incoming.has_own_id:
        return "the same id", f"id|{label.id}"
    if label.answered_at is None:
        return None
    pictures = ",".join(sorted(picture.sha256 for picture in label.pictures))
    time = label.answered_at.isoformat()
    return "the same pictures, annotator and time", f"{pictures}|{label.question}|{label.annotator}|{time}"


def attempt(row: int, make: Callable[[], IncomingLabel]) -> Row:
    """What `make` gives, or the row refused for its reason. make: may raise BadInput."""
    try:
        return make()
    except BadInput as error:
        return RefusedRow(row, str(error).rstrip("."))


def plain_text(value: object, name: str, most: int = MAX_NAME) -> str:
    """A text out of a file. Raises BadInput with a clause: no text, too long, not valid."""
    if not isinstance(value, str):
        raise BadInput(f"its {name} is {shown(value)}, no text")
    if len(value) > most:
        raise BadInput(f"its {name} has {len(value)} characters, more than {most}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadInput(f"its {name} is no valid text") from None
    return value


def prompt_text(value: object) -> str:
    """A prompt out of a file. Raises BadInput with a clause."""
    text = plain_text(value, "prompt", MAX_PROMPT_CHARS)
    if "\0" in text:
        raise BadInput("its prompt has a NUL in it")
    return text


def annotator_name(value: object) -> str:
    """Who answered, out of a file; "" for nobody knows. Raises BadInput with a clause."""
    name = plain_text(value, "annotator", MAX_ANNOTATOR)
    if not name.isprintable() or name != name.strip():
        raise BadInput(f"its annotator is {shown(name)}, no name")
    return name


def time_of(value: object, name: str) -> datetime | None:
    """A time out of a file, ISO 8601 text, in UTC where it names no zone; None for null. Raises BadInput."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(plain_text(value, name, 64))
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"its {name} is {shown(value)}, no time") from None


def dense(ranks: list[float]) -> tuple[int, ...]:
    """Ranks from 1 without a gap, in the same order, equal where they are equal."""
    levels = {value: number for number, value in enumerate(sorted(set(ranks)), start=1)}
    return tuple(levels[value] for value in ranks)


class LabelMaker:
    """Makes labels out of what the rows of one file say.

    format: its name; begins the ids of labels that have none.
    """

    def __init__(self, format: str) -> None:
        self._format = format
        self._checker = PictureChecker()

    def make(
        self,
        row: int,
        prompt: object,
        files: tuple[bytes, ...],
        answer: Answer,
        *,
        models: tuple[str, ...] = (),
        annotator: str = "",
        answered_at: datetime | None = None,
        part: int = 0,
    ) -> IncomingLabel:
        """A label out of a row that has no id: it gets one that the same row of the same file has again.

        part: of several labels in one row, which.
        Raises BadInput with a clause.
        """
        pictures = self.pictures(files, models)
        text = prompt_text(prompt)
        name = annotator_name(annotator)
        label = Label(
            id="",
            item=0,
            campaign="",
            annotator=name,
            prompt=text,
            pictures=pictures,
            answer=answer,
            answered_at=answered_at,
            chosen_by="import",
        )
        when = "" if answered_at is None else answered_at.isoformat()
        parts = (
            text,
            *(picture.sha256 for picture in pictures),
            str(answer.as_json()),
            name,
            when,
            str(row),
            str(part),
        )
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        return IncomingLabel(row, replace(label, id=f"{self._format}-{digest}"), files)

    def pictures(self, files: tuple[bytes, ...], models: tuple[str, ...] = ()) -> tuple[Picture, ...]:
        """Pictures by their files. Raises BadInput with a clause: one cannot be read, or is there twice."""
        facts = [self._checker.check(data) for data in files]
        if len({fact.sha256 for fact in facts}) != len(facts):
            raise BadInput("a picture is compared with itself")
        names = models or ("",) * len(files)
        return tuple(
            Picture(fact.sha256, foreign=True, width=fact.width, height=fact.height, model=plain_text(name, "model"))
            for fact, name in zip(facts, names, strict=True)
        )
