"""The rows of guidance as HTML: what is compared, each with its method, its numbers and what is put around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.params import ParamSpec
from studio.ui import controls
from studio.ui.components import method_menu
from studio.ui.components.method_menu import Entry
from studio.ui.guidance import board as boards
from studio.ui.guidance.board import MAX_ROWS, Board, Row
from studio.ui.guidance.marks import marks, swatch
from studio.ui.markup import attributes, tag, text
from studio.ui.methods import Method, declarations

# One event for everything: {op, row, at, name, value}. A slider tells when it is let go of; until then only the number
# beside it follows, in the browser.
SCRIPT = """
const tell = (from, value) => trigger('op', {op: from.dataset.op, row: Number(from.dataset.row),
  at: Number(from.dataset.at || 0), name: from.dataset.name || '', value: value});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-op]');
  if (button) tell(button, button.dataset.value || null);
});
element.addEventListener('input', (event) => {
  const field = event.target;
  const pair = field.closest('.pair');
  if (pair) pair.querySelectorAll('input').forEach((one) => { if (one !== field) one.value = field.value; });
});
element.addEventListener('change', (event) => {
  event.stopPropagation();
  const field = event.target;
  if (!field.dataset.op) return;
  if (field.type === 'checkbox') tell(field, field.checked);
  else if (field.type === 'range' || field.type === 'number') {
    if (!Number.isNaN(field.valueAsNumber)) tell(field, field.valueAsNumber);
  } else { tell(field, field.value); if (field.dataset.once) field.value = ''; }
});
"""


def rows_html(
    board: Board, formulas: Mapping[int, str], problems: Mapping[int, str], offered: Sequence[Entry] = ()
) -> str:
    """formulas: row -> its formula with the numbers; problems: row -> why it cannot be drawn; offered: the menu of
    methods, all of them where it is left out.
    """
    offered = offered or method_menu.entries()
    rows = "".join(_row(row, board, formulas, problems, offered) for row in board["rows"])
    full = len(board["rows"]) >= MAX_ROWS
    more = _menu("add", 0, "Add a row", offered, "A further method to compare", disabled=full)
    return tag("ol", rows, class_="guides") + tag("div", more, class_="guide-add")


def _row(
    row: Row, board: Board, formulas: Mapping[int, str], problems: Mapping[int, str], offered: Sequence[Entry]
) -> str:
    id, spec = row["id"], row["guidance"]
    chosen = id == board["chosen"]
    head = tag(
        "button",
        swatch(marks(board["rows"])[id]) + tag("span", text(boards.label(spec)), class_="name"),
        type="button", class_="guide-name", data_op="choose", data_row=str(id), aria_expanded=str(chosen).lower(),
        title="Open this row's settings",
    )  # fmt: skip
    formula = problems.get(id) or formulas.get(id, "")
    line = tag("p", text(formula), class_="formula wrong" if id in problems else "formula") if formula else ""
    inner = tag("div", head + _tools(id, board), class_="head") + line
    if chosen:
        inner += _settings(id, spec, offered)
    return tag("li", inner, class_="guide chosen" if chosen else "guide")


def _tools(id: int, board: Board) -> str:
    first, last = board["rows"][0]["id"] == id, board["rows"][-1]["id"] == id
    return tag(
        "span",
        _button("up", id, "↑", "Move up", disabled=first)
        + _button("down", id, "↓", "Move down", disabled=last)
        + _button("copy", id, "+", "Add a copy of this row", disabled=len(board["rows"]) >= MAX_ROWS)
        + _button("remove", id, "×", "Remove this row", disabled=len(board["rows"]) == 1),
        class_="tools",
    )


def _settings(id: int, spec: Mapping[str, Any], offered: Sequence[Entry]) -> str:
    known = declarations()
    method = known.guidance.get(str(spec["method"]))
    parts = [_select("method", id, "Method", offered, str(spec["method"]))]
    if method is None:
        parts.append(tag("p", "This method is not here any more; choose another.", class_="hint wrong"))
    else:
        if method.source:
            parts.append(tag("p", text(method.source), class_="source"))
        parts += [_control(one, value, "param", id) for one, value in boards.shown_params(method, spec["params"])]
    for at, each in enumerate(spec.get("wrappers", ())):
        parts.append(_wrapper(id, at, each, known.wrappers.get(str(each["wrapper"])), offered))
    around = [(one.label.capitalize(), name) for name, one in known.wrappers.items()]
    parts.append(_menu("wrap", id, "Put around it", around, "An interval, a schedule of the scale, a rescale, a sum"))
    return tag("div", "".join(parts), class_="settings")


def _wrapper(id: int, at: int, each: Mapping[str, Any], known: Method | None, offered: Sequence[Entry]) -> str:
    if known is None:
        return tag("p", "A wrapper of this row is not here any more.", class_="hint wrong")
    drop = _button("unwrap", id, "×", f"Take the {known.label} away", at=at)
    inner = tag("legend", text(known.label.capitalize()) + drop)
    inner += "".join(
        _control(one, value, "wparam", id, at) for one, value in boards.shown_params(known, each["params"])
    )
    if added := each.get("added"):
        inner += _select("added", id, "Method added", offered, str(added["method"]), at)
        if method := declarations().guidance.get(str(added["method"])):
            pairs = boards.shown_params(method, added["params"])
            inner += "".join(_control(one, value, "aparam", id, at) for one, value in pairs)
    return tag("fieldset", inner, class_="wrapper")


def _control(spec: ParamSpec, value: Any, op: str, row: int, at: int = 0) -> str:
    """The control of one parameter; `controls.control` as HTML."""
    data = {"data_op": op, "data_row": str(row), "data_at": str(at), "data_name": spec.name}
    name, help = controls.label(spec), controls.explanation(spec)
    if spec.kind == "bool":
        field = f"<input{attributes({'type': 'checkbox', 'checked': bool(value), 'aria-label': name, **data})}>"
    elif spec.kind == "choice":
        field = _options([(one, one) for one in spec.choices or ()], str(value), aria_label=name, **data)
    elif spec.kind == "text":
        field = f"<input{attributes({'type': 'text', 'value': value, 'maxlength': 500, 'aria-label': name, **data})}>"
    else:
        field = _number(spec, value, name, data)
    return tag(
        "div", tag("span", text(name), class_="label", title=help) + field, class_=f"param {spec.kind}", title=help
    )


def _number(spec: ParamSpec, value: Any, name: str, data: Mapping[str, str]) -> str:
    step = spec.step if spec.step is not None else 1 if spec.kind == "int" else 0.01
    shared: dict[str, Any] = {"min": spec.low, "max": spec.high, "step": step, "value": _shown(value), **data}
    number = f"<input{attributes({'type': 'number', 'aria-label': name, **shared})}>"
    if spec.low is None or spec.high is None:
        return number
    slider = f"<input{attributes({'type': 'range', 'aria-label': f'{name}, slider', **shared})}>"
    return tag("span", slider + number, class_="pair")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _select(op: str, row: int, label: str, entries: Sequence[Entry], value: str, at: int = 0) -> str:
    data = {"data_op": op, "data_row": str(row), "data_at": str(at)}
    return tag(
        "label", tag("span", text(label), class_="label") + _options(entries, value, **data), class_="param choice"
    )


def _options(entries: Sequence[Entry], value: str, **attrs: Any) -> str:
    return tag("select", method_menu.options_html(entries, value), **attrs)


def _menu(op: str, row: int, label: str, entries: Sequence[Entry], title: str, disabled: bool = False) -> str:
    """A list that does something with what is chosen, and forgets it."""
    options = tag("option", text(label), value="", selected=True)
    options += method_menu.options_html(entries)
    return tag("select", options, data_op=op, data_row=str(row), data_once="1", title=title, aria_label=label,
               class_="menu-like", disabled=disabled)  # fmt: skip


def _button(op: str, row: int, label: str, title: str, at: int = 0, disabled: bool = False) -> str:
    return tag("button", label, type="button", class_="small", data_op=op, data_row=str(row), data_at=str(at),
               title=title, aria_label=title, disabled=disabled)  # fmt: skip
