"""What the Erase tab holds: what is to be erased or balanced, and what of that is looked at. The browser keeps a copy:

{"rows": [{"id": 1, "concept": {...}}, ...], "chosen": 1, "method": "uce", "options": {...},
 "batch": ["job", ...], "aim": "erase", "wishes": {...}, "trial": {...}, "near": {...}, "substitute": {...}}; each of
the last four may be null
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load, shown
from studio.training.balance.plan import MAX_ATTRIBUTES
from studio.training.erase.concept import ConceptKind
from studio.training.erase.lines import MAX_LINES
from studio.training.erase.plan import INSTANT, TrainingOptions
from studio.training.erase.preview import Sight
from studio.ui.components.rows import Row, Rows
from studio.ui.erase.aim import ERASE, Aim, read_aim
from studio.ui.erase.balance import form
from studio.ui.erase.balance.form import Wishes
from studio.ui.live import Drawing
from studio.ui.sessions import Session

P = TypeVar("P", bound=Params)
MAX_ROWS = 24
MAX_CHARS = 1000  # of what stands in a field; of which a plan takes fewer, and says so
LEAST, MOST = 0.0, 1.5  # of a strength
MAX_OPTIONS = 40  # that a copy is believed to have


class Entry(Params):
    """A concept as it is typed: none of it is checked.

    words: what is erased.
    substitute: what takes its place.
    kind: what sort of thing it is; "" asks the model's own words.
    synonyms: other words for it, between commas.
    """

    words: str = Field(default="", max_length=MAX_CHARS)
    substitute: str = Field(default="", max_length=MAX_CHARS)
    kind: ConceptKind = ""
    synonyms: str = Field(default="", max_length=MAX_CHARS)

    @property
    def concept(self) -> dict[str, Any]:
        """What it says in a plan."""
        synonyms = [word.strip() for word in self.synonyms.split(",") if word.strip()]
        return {"words": self.words, "substitute": self.substitute, "kind": self.kind, "synonyms": synonyms}


class Lookup(Params):
    """Something that is looked for, for one concept.

    row: its id.
    job: that looks.
    word: a substitute that is tried, "" where words near the concept are looked for.
    proposes: whether the substitute is one of ours, and goes into the row where the base draws it well.
    refused: substitutes that were tried before.
    """

    row: int
    job: str
    word: str = ""
    proposes: bool = False
    refused: tuple[str, ...] = ()


class Trial(Params):
    """An erasure that is looked at, or a balance.

    model: it is of.
    method: by name (studio.training.erase.methods, studio.training.balance.plan).
    concepts: (what is erased, what takes its place) of each; of a balance its object, with nothing in its place.
    shares: of a balance, (attribute, its wanted share) of each; of an erasure none.
    sights: the prompts it is looked at in.
    seed: of the first picture; the others have the next ones.
    job: that makes the edit, "" for one that was made before.
    edit: its id, "" until there is one.
    base: the job that draws the prompts without it.
    drawn: what is shown beside that.
    drawing: what will be, under way.
    strength: that is wanted.
    card: the job that draws its report card, "" for none.
    negative: the job that draws the prompts without the edit and with the concept as negative prompt, "" for none.
    """

    model: str
    method: str = INSTANT
    concepts: tuple[tuple[str, str], ...] = Field(max_length=MAX_ROWS)
    shares: tuple[tuple[str, float], ...] = Field(default=(), max_length=MAX_ATTRIBUTES)
    sights: tuple[Sight, ...] = Field(max_length=8)
    seed: int
    job: str = ""
    edit: str = ""
    base: str = ""
    drawn: Drawing | None = None
    drawing: Drawing | None = None
    strength: float = Field(default=1.0, ge=LEAST, le=MOST)
    card: str = ""
    negative: str = ""

    def having(self, **values: Any) -> Trial:
        """The same with other values."""
        return self.model_copy(update=values)

    @property
    def is_balance(self) -> bool:
        """Whether it is one."""
        return bool(self.shares)

    @property
    def jobs(self) -> set[str]:
        """All that work for it, but for the card: that goes on when something else is looked at."""
        drawings = (drawing.job for drawing in (self.drawn, self.drawing) if drawing)
        return {job for job in (self.job, self.base, self.negative, *drawings) if job}


@dataclass(frozen=True)
class Board:
    """Everything on the tab.

    rows: the concepts.
    method: by name (studio.training.erase.methods).
    options: of methods that train, those that were set.
    trial: what is looked at, None before the first.
    near: words near a concept, None where nobody asked.
    substitute: what is tried in a concept's place, likewise.
    batch: the jobs of concepts that are erased each by itself.
    aim: what the tab is to do.
    wishes: what is to be balanced.
    """

    rows: Rows[Entry]
    method: str = INSTANT
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trial: Trial | None = None
    near: Lookup | None = None
    substitute: Lookup | None = None
    batch: tuple[str, ...] = ()
    aim: Aim = ERASE
    wishes: Wishes = field(default_factory=Wishes)


class BoardSession(Session[Board]):
    """The board of one page. visited: whether its tab has been shown."""

    def __init__(self) -> None:
        super().__init__(new(), read, plain)
        self.visited = False


def new() -> Board:
    """What a first visitor finds: an example that works on Stencil."""
    return Board(Rows.of([Entry(words="star", substitute="heart")], MAX_ROWS))


def read(value: Any) -> Board:
    """The board of a browser's copy; what is no board is a new one."""
    try:
        items = tuple(Row(int(row["id"]), load(Entry, row["concept"], "concept")) for row in value["rows"])
        ids, chosen = [row.id for row in items], int(value["chosen"])
        if not 0 < len(items) <= MAX_ROWS or len(set(ids)) < len(ids) or min(ids) < 1:
            return new()
        rows = Rows(items, chosen if chosen in ids else ids[0], max(ids) + 1, MAX_ROWS)
        return Board(
            rows,
            str(value.get("method", INSTANT))[:40],
            _options(value.get("options")),
            _part(Trial, value.get("trial")),
            _part(Lookup, value.get("near")),
            _part(Lookup, value.get("substitute")),
            tuple(str(job)[:64] for job in (value.get("batch") or ())[: 2 * MAX_LINES]),
            read_aim(value.get("aim", ERASE)),
            form.read(value.get("wishes")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, BadInput):
        return new()


def plain(board: Board) -> dict[str, Any]:
    """The reverse of `read`."""
    return {
        "rows": [{"id": row.id, "concept": row.value.model_dump(mode="json")} for row in board.rows],
        "chosen": board.rows.chosen,
        "method": board.method,
        "options": dict(board.options),
        "batch": list(board.batch),
        "aim": board.aim,
        "wishes": form.plain(board.wishes),
        **{
            name: part.model_dump(mode="json") if part else None
            for name, part in (("trial", board.trial), ("near", board.near), ("substitute", board.substitute))
        },
    }


def change(board: Board, op: str, id: int, value: Any = None) -> Board:
    """Do one thing to a row. Raises BadInput for what cannot be done.

    op: one of `Rows.OPS`; add (without a row); or a field of an `Entry`, with its new value.
    """
    if op == "add":
        return replace(board, rows=board.rows.add(Entry()))
    if op in Entry.model_fields:
        values = {**board.rows[id].model_dump(mode="json"), op: _text(value)}
        return replace(board, rows=board.rows.put(id, load(Entry, values, "concept")))
    return replace(board, rows=board.rows.do(op, id))


def choose(board: Board, op: str, name: str, value: Any) -> Board:
    """Another method (op "method", value: its name), an option of its training set (option), or not set (reset).

    Raises BadInput for what is no option, or no value of one.
    """
    if op == "method":
        return replace(board, method=str(value)[:40])
    options = {key: option for key, option in board.options.items() if key != name}
    if op == "option":
        options[name] = value
        load(TrainingOptions, options, "training")
    elif op != "reset":
        raise BadInput(f"There is nothing to do with a method called {shown(op)}.")
    return replace(board, options=options)


def with_trial(board: Board, trial: Trial | None) -> Board:
    """The same, looking at another erasure."""
    return replace(board, trial=trial)


def strength(value: Any) -> float:
    """Read a strength. Raises BadInput for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST <= value <= MOST:
        raise BadInput(f"Here a strength is a number from {LEAST:g} to {MOST:g}, not {shown(value)}.", field="strength")
    return round(float(value), 4)


def concepts_of(plan: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a plan erases, and what takes the place of each. Raises KeyError, TypeError for what is no plan."""
    return tuple((str(concept["words"]), str(concept["substitute"])) for concept in plan["concepts"])


def _part(cls: type[P], value: Any) -> P | None:
    """Raises BadInput for values that are none of a class."""
    return load(cls, value, "page") if isinstance(value, dict) else None


def _options(value: Any) -> dict[str, Any]:
    """Those of a browser's copy. Raises BadInput for what they cannot be."""
    options = dict(value) if isinstance(value, dict) and len(value) <= MAX_OPTIONS else {}
    load(TrainingOptions, options, "training")
    return options


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
