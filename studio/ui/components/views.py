"""Further ways to look at pictures that lie in a table of results: two under a divider, one held against another, what
differs, all of a column large, and along the steps of a training.

What is shown is read off the table (results.grid_html), so a view needs nothing of the server; views.js builds it. The
choice is a group of radio buttons, which the browser remembers. Rows of one training say so (`Head.training`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.ui.components.results import viewer_script
from studio.ui.markup import attributes, tag, text


@dataclass(frozen=True)
class View:
    """One way to look.

    id: in the browser's script.
    label: on its button.
    title: what it does.
    """

    id: str
    label: str
    title: str


TABLE = "table"
VIEWS = (
    View(TABLE, "Table", "All pictures, zoomed and moved as one"),
    View("slider", "Slider", "Two pictures under one divider"),
    View("flick", "Flick", "One picture, and the reference in its place while a key is held"),
    View("difference", "Difference", "What differs between two pictures, pixel by pixel"),
    View("large", "Large", "All rows of one column, as large as there is room"),
    View("training", "Training", "The same prompts along the steps of a training"),
)
_PAIR, _COLUMN = ("slider", "flick", "difference"), ("slider", "flick", "difference", "large")


def script(source: str) -> str:
    """What the host of the views does. source: selector of the results they show."""
    file = Path(__file__).with_name("views.js").read_text(encoding="utf-8")
    return f"const SOURCE = {source!r};\n{viewer_script()}\n{file}"


def keys() -> dict[str, str]:
    """Key -> selector of the button of a view, for a tab (`Tab.keys`)."""
    return {str(number): f".views [data-view={view.id}]" for number, view in enumerate(VIEWS, start=1)}


def shortcuts() -> tuple[tuple[tuple[str, ...], str], ...]:
    """The same and those of the views in words, for a tab (`Tab.shortcuts`)."""
    choice = tuple((key, view.label.lower()) for key, view in zip(keys(), VIEWS, strict=True))
    return (
        *(((key,), f"view: {label}") for key, label in choice),
        (("←", "→"), "in a view: column, or step of the training"),
        (("↑", "↓"), "in a view of two: the compared row"),
        (("Space",), "in a view of two, while held: the reference, as R"),
        (("S",), "in a view of two: exchange them"),
        (("[", "]"), "slider: the divider"),
    )


def views_html() -> str:
    """The choice of a view, and the place where it is shown."""
    buttons = "".join(
        tag(
            "button",
            text(view.label),
            type="button",
            role="radio",
            data_view=view.id,
            title=f"{view.title} ({number})",
            aria_checked=str(view.id == TABLE).lower(),
            tabindex="0" if view.id == TABLE else "-1",
        )
        for number, view in enumerate(VIEWS, start=1)
    )
    choice = tag("div", buttons, class_="view-choice", role="radiogroup", aria_label="View")
    stage = tag(
        "section",
        _tools()
        + tag("p", "", class_="view-told", role="status")
        + tag("div", "", class_="view-pictures")
        + tag("p", "", class_="view-keys hint"),
        class_="view-stage",
        hidden=True,
        aria_label="Pictures in this view",
    )
    return tag("div", choice + stage, class_="views")


def _tools() -> str:
    """What a view can be told; each part is seen in the views it is for."""
    first = _menu("first", "Reference", _PAIR) + _button("swap", "⇄", "Exchange the two (S)", _PAIR)
    second = _menu("second", "Compared", _PAIR) + _menu("training", "Training", ("training",))
    column = (
        _button("before", "‹", "Column before (←)", _COLUMN)
        + _menu("column", "Column", _COLUMN)
        + _button("after", "›", "Column after (→)", _COLUMN)
    )
    ranges = (
        _range("divide", "Divider", ("slider",), 0, 100, 50)
        + _range("gain", "Strength", ("difference",), 1, 16, 4)
        + _range("step", "Step", ("training",), 0, 0, 0)
    )
    hold = _button("hold", "Hold to see the reference", "Hold it, or R, or the space bar", ("flick",))
    zoom = tag(
        "span",
        _button("out", "−", "Zoom out, all pictures alike (−)", ())
        + _button("fit", "100 %", "Whole pictures again (0)", ())
        + _button("in", "+", "Zoom in, all pictures alike (+); drag to move them", ()),
        class_="view-zoom",
    )
    return tag("div", first + second + column + ranges + hold + zoom, class_="view-tools")


def _menu(name: str, label: str, views: tuple[str, ...]) -> str:
    return tag(
        "label",
        tag("span", text(label)) + tag("select", "", data_choice=name),
        data_for=" ".join(views),
    )


def _range(name: str, label: str, views: tuple[str, ...], low: int, high: int, value: int) -> str:
    about = {"type": "range", "data-range": name, "min": low, "max": high, "value": value, "aria-label": label}
    return tag("label", tag("span", text(label)) + f"<input{attributes(about)}>", data_for=" ".join(views))


def _button(name: str, label: str, title: str, views: tuple[str, ...]) -> str:
    return tag(
        "button",
        text(label),
        type="button",
        class_="small",
        data_do=name,
        title=title,
        aria_label=None if label[0].isalpha() else title,
        data_for=" ".join(views) or None,
    )
