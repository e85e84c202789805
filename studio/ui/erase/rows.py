"""The concepts as rows: what goes, what takes its place, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from studio.training.erase.concept import MAX_WORDS_CHARS
from studio.ui import watch
from studio.ui.components import fields
from studio.ui.components import rows as lists
from studio.ui.components.rows import Row
from studio.ui.erase.board import Board, Entry
from studio.ui.markup import attributes, tag, text

# One event for everything: {op, row, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, row: Number(from.dataset.row), value: value}});
{fields.SCRIPT}
watch('value', settle);
settle();
{watch.PART}
"""
KINDS: tuple[fields.Entry, ...] = (
    ("not said: as an object", ""),
    ("an object", "object"),
    ("a style", "style"),
    ("a colour", "colour"),
)
UNNAMED = "a concept"
NOTHING = "nothing"


def rows_html(board: Board, problems: Mapping[int, str], in_world: bool, tries: Mapping[int, str]) -> str:
    """The list.

    problems: row -> what is wrong with it, a sentence.
    in_world: whether the model knows kinds itself, and its pictures are read.
    tries: row -> HTML of what a substitute came to that was tried.
    """

    def name(row: Row[Entry]) -> str:
        return tag("span", way_html(row.value.words or UNNAMED, row.value.substitute), class_="name")

    def line(row: Row[Entry]) -> str:
        sentence = problems.get(row.id, "")
        wrong = tag("p", text(sentence), class_="formula wrong", role="status") if sentence else ""
        return wrong + tries.get(row.id, "")

    def settings(row: Row[Entry]) -> str:
        return _settings(row.id, row.value, in_world)

    adder = tag(
        "button",
        "Add a concept",
        type="button",
        class_="menu-like",
        data_op="add",
        data_row="0",
        disabled=board.rows.is_full,
        title="A further concept, erased in the same edit",
    )
    return lists.rows_html(board.rows, name, line, settings, adder)


def way_html(words: str, substitute: str) -> str:
    """What goes and what takes its place, with an arrow between them that is read as a word."""
    arrow = tag("span", " becomes ", class_="unseen") + tag("span", "→", aria_hidden="true", class_="arrow")
    return text(words) + arrow + (text(substitute) if substitute else tag("i", NOTHING))


def _settings(id: int, entry: Entry, in_world: bool) -> str:
    parts = [
        _text("words", id, "Erase", entry.words, "star", "What is to be forgotten, as prompts name it."),
        _text(
            "substitute",
            id,
            "Draw instead",
            entry.substitute,
            NOTHING,
            "What takes its place: best something of the same kind.",
        ),
    ]
    if in_world:
        parts.append(_try(id, entry))
    else:
        parts.append(fields.select("kind", id, "Kind", KINDS, entry.kind))
    synonyms = _text(
        "synonyms", id, "Also called", entry.synonyms, "none", "Separated by commas. They are erased with it."
    )
    synonyms_note = " Stencil's own synonyms are erased in any case." if in_world else ""
    hint = tag(
        "p", text(f"Other words for it, separated by commas, that are erased with it.{synonyms_note}"), class_="hint"
    )
    drawer = tag(
        "details",
        tag("summary", "Synonyms") + synonyms + hint,
        class_="more",
        data_keep=f"synonyms-{id}",
        open=bool(entry.synonyms),
    )
    return "".join(parts) + drawer


def _try(id: int, entry: Entry) -> str:
    """What proposes a substitute, or tries the one that is named."""
    label, title = (
        (f"Try “{entry.substitute}”", "Draws 24 pictures of it with the base model, and reads whether they show it")
        if entry.substitute
        else ("Propose one", "Looks for one of its kind that the base model draws well")
    )
    button = tag("button", text(label), type="button", class_="small", data_op="try", data_row=str(id), title=title)
    return tag("div", tag("span", "", class_="label") + button, class_="param try")


def _text(op: str, id: int, label: str, value: str, example: str, title: str) -> str:
    about = {
        "type": "text",
        "value": value,
        "placeholder": example,
        "maxlength": MAX_WORDS_CHARS,
        "aria_label": label,
        "autocomplete": "off",
        "data_op": op,
        "data_row": str(id),
    }
    caption = tag("span", text(label), class_="label")
    return tag("label", f"{caption}<input{attributes(about)}>", class_="param text", title=title)
