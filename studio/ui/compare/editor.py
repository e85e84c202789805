"""The settings of the open row: all that its recipe says, changed in place, but for what the columns say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.recipe import MAX_PROMPT_CHARS, EditRef, Recipe
from studio.services.comparisons.comparison import MAX_NAME_CHARS
from studio.ui.compare.board import Board
from studio.ui.components import around, fields, method_menu, rule
from studio.ui.components.fields import Entry
from studio.ui.components.form import samplers
from studio.ui.markup import attributes, tag, text
from studio.ui.models import choices, listed

if TYPE_CHECKING:
    from studio.services.studio import Studio

# One event for everything: {op, row, at, name, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, row: Number(from.dataset.row),
  at: from.dataset.at || '', name: from.dataset.name || '', value: value}});
{around.SCRIPT}
watch('value', written);
written();
"""
STRENGTHS = (-1.0, 2.0)  # of the slider; beyond it a strength is typed


def editor_html(studio: Studio, board: Board, name: str) -> str:
    """The settings; "" where no row is open. name: what the row is called."""
    id = board.rows.chosen
    if not board.is_open or id not in board.rows:
        return ""
    row, recipe = board.rows[id], board.rows[id].recipe
    close = fields.button("close", id, "×", "Close the settings")
    head = tag("header", tag("h2", text(name)) + close)
    prompts_told = all(column.prompt is not None for column in board.columns)
    seeds_told = all(column.seed is not None for column in board.columns)
    parts = [
        _text("rename", id, "", "Name", row.name, MAX_NAME_CHARS, placeholder="by what differs"),
        _area(id, "prompt", "Prompt", recipe.prompt, prompts_told),
        _area(id, "negative_prompt", "Negative prompt", recipe.negative_prompt, False),
        _text("set", id, "seed", "Seed", str(recipe.seed), 40, is_of_columns=seeds_told),
        _number(id, "steps", "Steps", recipe.steps, 1, 1000, 1),
        _select("set", id, "sampler", "Sampler", [(s.label, name) for name, s in samplers().items()], recipe.sampler),
        _number(id, "width", "Width", recipe.width, 32, 2048, 8),
        _number(id, "height", "Height", recipe.height, 32, 2048, 8),
        _select("set", id, "model", "Model", list(choices(listed(studio))), recipe.model),
        tag("h3", "Edits"),
        *(_edit(id, ref) for ref in recipe.edits),
        _more_edits(studio, id, recipe),
        tag("h3", "Guidance"),
        rule.settings_html(id, recipe.guidance, method_menu.entries(studio, recipe.model)),
    ]
    inner = head + tag("div", "".join(parts), class_="settings")
    return tag("section", inner, class_="guide compare-editor", aria_label=f"Settings of {name}")


def _about(op: str, id: int, name: str, label: str) -> dict[str, object]:
    return {"data-op": op, "data-row": str(id), "data-name": name, "aria-label": label}


def _param(label: str, field: str, is_of_columns: bool = False, class_: str = "text") -> str:
    hint = tag("span", "The columns say it.", class_="hint") if is_of_columns else ""
    return tag("div", tag("span", text(label), class_="label") + field + hint, class_=f"param {class_}")


def _text(
    op: str, id: int, name: str, label: str, value: str, most: int, is_of_columns: bool = False, placeholder: str = ""
) -> str:
    about = _about(op, id, name, label) | {"type": "text", "value": value, "maxlength": most, "disabled": is_of_columns}
    about["placeholder"] = placeholder or None
    return _param(label, f"<input{attributes(about)}>", is_of_columns)


def _area(id: int, name: str, label: str, value: str, is_of_columns: bool) -> str:
    about = _about("set", id, name, label) | {"rows": 2, "maxlength": MAX_PROMPT_CHARS, "disabled": is_of_columns}
    return _param(label, f"<textarea{attributes(about)}>{text(value)}</textarea>", is_of_columns, "area")


def _number(id: int, name: str, label: str, value: int, low: int, high: int, step: int) -> str:
    about = _about("set", id, name, label) | {"type": "number", "min": low, "max": high, "step": step, "value": value}
    return _param(label, f"<input{attributes(about)}>", class_="number")


def _select(op: str, id: int, name: str, label: str, entries: Sequence[Entry], value: str) -> str:
    listed_entries = (
        entries if any(entry[1] == value for entry in entries) else [(f"Not here: {value}", value), *entries]
    )
    data = {"data_op": op, "data_row": str(id), "data_name": name, "aria_label": label}
    return _param(label, fields.options(listed_entries, value, **data), class_="choice")


def _edit(id: int, ref: EditRef) -> str:
    low, high = STRENGTHS
    label = f"Strength of {ref.edit}"
    shared = _about("strength", id, ref.edit, label) | {"step": 0.05, "value": f"{ref.strength:g}"}
    slider = shared | {"type": "range", "min": low, "max": high, "aria-label": f"{label}, slider"}
    number = shared | {"type": "number", "min": -10, "max": 10}
    pair = tag("span", f"<input{attributes(slider)}><input{attributes(number)}>", class_="pair")
    gone = tag(
        "button",
        "×",
        type="button",
        class_="small",
        data_op="unedit",
        data_row=str(id),
        data_name=ref.edit,
        title=f"Without {ref.edit}",
        aria_label=f"Without {ref.edit}",
    )
    return tag("div", tag("span", text(ref.edit) + gone, class_="label") + pair, class_="param edit-strength")


def _more_edits(studio: Studio, id: int, recipe: Recipe) -> str:
    ids = {ref.edit for ref in recipe.edits}
    entries = [
        (entry.name or entry.id, entry.id) for entry in studio.edits.list() if not entry.problem and entry.id not in ids
    ]
    if not entries:
        return tag("p", "None." if recipe.edits == () else "", class_="hint")
    options = tag("option", "Add an edit", value="", selected=True) + fields.options_html(entries)
    return tag(
        "select",
        options,
        data_op="edit",
        data_row=str(id),
        data_once="1",
        class_="menu-like",
        aria_label="Add an edit",
    )
