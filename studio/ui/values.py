"""What the page and programs send, read in one place: each value against what its component holds.

Gradio checks little of it. A Slider compares whatever comes with its limits, a Textbox turns lists into text, an HTML
passes everything on; and "private" listeners answer anybody who posts to them. So `read` comes before all of Gradio's
own preprocessing (see `studio.ui.blocks`), for every listener alike: a handler gets a value of its component's kind, or
None where the page has none, or it is not called at all.

The kind of a component follows from its class. One that holds something else says so where it is made:

    holds(gr.HTML([], ...), rows("rows of text and weight"), "The further negative prompts")
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.components import Component
from gradio.utils import get_upload_folder

from studio.core.errors import BadInput
from studio.core.params import shown

C = TypeVar("C", bound=Component)
MAX_DEPTH = 64  # of lists in lists; an edit of a sum around a sum is at 12
MAX_FILES = 10_000  # of a field that takes several
MAX_WHOLE = 2**53  # what JavaScript still counts exactly
_UNREADABLE = "What was sent cannot be read:"


@dataclass(frozen=True)
class ValueKind:
    """What a component holds.

    description: in words, as in "must be ...".
    fits: whether a value is of the kind.
    forgotten: a value that does not fit is read as None instead of refused: of what nobody typed, but the browser
        remembers, which may be of another version.
    """

    description: str
    fits: Callable[[Any], bool]
    forgotten: bool = False

    def read(self, value: Any, name: str) -> Any:
        """The value, or None where it is forgotten. name: of the field, in the message. Raises BadInput."""
        if self.fits(value):
            return value
        if self.forgotten:
            return None
        raise BadInput(f"{name} must be {self.description}, not {_short(value)}.")


# -- kinds ----------------------------------------------------------------------------------------------------------


def is_number(value: Any) -> bool:
    """Whether it is a finite number that a double holds; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_whole(value: Any) -> bool:
    """Whether it is a whole number that JavaScript counts exactly, 3.0 among them."""
    return is_number(value) and abs(value) <= MAX_WHOLE and value == int(value)


def number(low: float | None = None, high: float | None = None) -> ValueKind:
    """A finite number within limits, both included."""

    def fits(value: Any) -> bool:
        return is_number(value) and (low is None or value >= low) and (high is None or value <= high)

    between = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
    return ValueKind(f"a number{between}", fits)


def rows(description: str) -> ValueKind:
    """A list of sets of named values."""
    return ValueKind(description, lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value))


def texts(description: str) -> ValueKind:
    """A list of texts."""
    return ValueKind(
        description, lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value)
    )


def wholes(most: int, least: int = 1) -> ValueKind:
    """A list of so many whole numbers."""

    def fits(value: Any) -> bool:
        return isinstance(value, list) and least <= len(value) <= most and all(map(is_whole, value))

    return ValueKind(f"a list of {least} to {most} whole numbers", fits)


def remembered(kind: ValueKind) -> ValueKind:
    """The same, as the browser remembers it: what does not fit is forgotten."""
    return ValueKind(kind.description, kind.fits, forgotten=True)


TEXT = ValueKind("text", lambda value: isinstance(value, str))
SWITCH = ValueKind("true or false", lambda value: isinstance(value, bool))
WHOLE = ValueKind("a whole number", is_whole)
ANYTHING = ValueKind("a value", lambda value: True)
FIELDS = ValueKind("a set of named values", lambda value: isinstance(value, dict))
# What a listener is sent in the place of a revision (see `order`).
TURN_OR_REVISION = remembered(
    ValueKind("a turn or a revision", lambda value: isinstance(value, str) or is_whole(value))
)

_declared: WeakKeyDictionary[Component, tuple[ValueKind, str]] = WeakKeyDictionary()


def holds(component: C, kind: ValueKind, name: str = "") -> C:
    """Say what a component holds besides None, where its class does not. name: for messages, else its label's."""
    _declared[component] = (kind, name)
    return component


# -- reading --------------------------------------------------------------------------------------------------------


def read(
    components: Sequence[Any], values: Sequence[Any], current: Callable[[Any], Any] = lambda same: same
) -> list[Any]:
    """The values of a listener's inputs, each checked. current: gives a component as the page has it by now, whose
    entries and limits count. Raises BadInput for the first that is of another kind, and for more or fewer values.
    """
    if len(values) != len(components):
        raise BadInput(f"The page sent {len(values)} values where {len(components)} were due.", "Load it again.")
    return [
        value if component.stateful else _read(component, value, current(component))
        for component, value in zip(components, values, strict=True)
    ]


def read_field(data: Any, name: str, kind: ValueKind) -> Any:
    """What an event of our own tells under a name. Raises BadInput where that is of another kind."""
    value = data.get(name) if isinstance(data, Mapping) else None
    if not kind.fits(value):
        raise BadInput(f"The page told {_short(value)} where {kind.description} was due.", "Load it again.")
    return int(value) if kind is WHOLE and value is not None else value


def check_tree(value: Any, texts: bool = True) -> None:
    """Raises BadInput for what no handler could keep, show or write: half a character, values within values within
    values, and files that were not uploaded here. texts: whether to look at texts; who names fields does that better.
    """
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise BadInput(f"{_UNREADABLE} values within values, more than {MAX_DEPTH} deep.", "Load it again.")
        if texts and isinstance(part, str) and not _is_text(part):
            raise BadInput(f"{_UNREADABLE} {shown(part)} has half a character in it.", "Type it anew.")
        if _names_file(part) and uploaded(part) is None:
            raise not_uploaded(part)
        if isinstance(part, Mapping):
            waiting += [(key, depth + 1) for key in part]
            waiting += [(inner, depth + 1) for inner in part.values()]
        elif isinstance(part, list | tuple):
            waiting += [(inner, depth + 1) for inner in part]


def uploaded(value: Any) -> Path | None:
    """The file of an upload; None for any other file of this machine, and for what names none."""
    path = value.get("path") if isinstance(value, Mapping) else None
    if not isinstance(path, str) or "\0" in path:
        return None
    try:
        file = Path(path).resolve()
        return file if file.is_relative_to(Path(get_upload_folder()).resolve()) and file.is_file() else None
    except (OSError, ValueError):  # a name too long, for instance
        return None


def not_uploaded(value: Any, name: str = "file", field: str | None = None) -> BadInput:
    """The refusal of a file that is none of ours, by the name that was given to it."""
    path = value.get("path") if isinstance(value, Mapping) else None
    name_of_file = repr(path.replace("\\", "/").rsplit("/", 1)[-1][:60]) if isinstance(path, str) else _short(value)
    return BadInput(
        f"The {name} must be a file that was uploaded here, not {name_of_file}.", "Upload it first.", field=field
    )


# -- inside ---------------------------------------------------------------------------------------------------------


def _read(component: Component, value: Any, current: Any) -> Any:
    declared, name = _declared.get(component, (None, ""))
    kind, name = declared or _kind(current), name or _name(component)
    if kind.forgotten:
        with contextlib.suppress(BadInput):
            check_tree(value)
            return value if value is None else kind.read(value, name)
        return None
    check_tree(value)
    if value is None:
        if isinstance(component, gr.Slider):  # one whose number was deleted
            raise BadInput(f"{name} is empty.", f"Give {kind.description}.")
        if isinstance(component, gr.Dropdown) and component.value not in (None, []):
            raise BadInput(f"{name} is empty.", "Choose one of its entries.")
        return [] if isinstance(component, gr.CheckboxGroup) else None  # nothing is marked; Gradio reads a list alone
    if declared is None and isinstance(current, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
        return _entry(current, value, name)
    if not isinstance(current, gr.File):
        return kind.read(value, name)
    if current.file_count == "single":
        return _file(current, value)
    files: list[Any] = value if isinstance(value, list) else [value]
    if len(files) > MAX_FILES:
        raise BadInput(f"{name} takes at most {MAX_FILES:,} files at once, not {len(files):,}.", "Take fewer.")
    return [_file(current, file) for file in files]


def _kind(component: Any) -> ValueKind:
    """What a component holds by its class."""
    match component:
        case gr.Slider() | gr.Number():
            return number(component.minimum, component.maximum)
        case gr.Checkbox():
            return SWITCH
        case gr.Textbox() | gr.HTML():
            return TEXT
        case gr.BrowserState():  # which its readers go through
            return remembered(ANYTHING)
        case _:
            return ANYTHING


def _entry(menu: gr.Dropdown | gr.Radio | gr.CheckboxGroup, value: Any, name: str) -> Any:
    """One of a menu's entries, or several of them where it takes several."""
    several = isinstance(menu, gr.CheckboxGroup) or (isinstance(menu, gr.Dropdown) and bool(menu.multiselect))
    is_free = isinstance(menu, gr.Dropdown) and menu.allow_custom_value
    chosen = value if several else [value]
    if not isinstance(chosen, list):
        raise BadInput(f"{name} must be a list of its entries, not {_short(value)}.")
    entries = [entry[1] if isinstance(entry, tuple | list) else entry for entry in menu.choices]
    for entry in chosen:
        if isinstance(entry, bool) or not isinstance(entry, str | int | float):
            raise BadInput(f"{name} must be one of its entries, not {_short(entry)}.")
        if entry not in entries and not is_free:
            raise BadInput(f"{name} has no entry {_short(entry)}.", "Choose one that it lists.")
    return value


def _file(field: gr.File, value: Any) -> Any:
    """A file as Gradio has it, of which only what names it is taken over."""
    file = uploaded(value)
    if file is None:
        raise not_uploaded(value)
    if field.file_types and not file.name.lower().endswith(tuple(kind.lower() for kind in field.file_types)):
        raise BadInput(f"The file {file.name[:80]} is not taken here.", f"Give one of {' or '.join(field.file_types)}.")
    return {"path": str(value["path"]), "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}


def _name(component: Component) -> str:
    label = getattr(component, "label", None)
    if isinstance(label, str) and label:
        return f"“{label}”"
    return "What the page sent"


def _short(value: Any) -> str:
    try:
        return shown(value)
    except RecursionError:
        return "values within values"


def _names_file(value: Any) -> bool:
    """Whether Gradio would take it for a file, wherever in a value it is."""
    return isinstance(value, Mapping) and isinstance(value.get("path"), str) and "meta" in value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
