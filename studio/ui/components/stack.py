"""How the edit stack looks: a row for each edit, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from studio.services.edits import EditEntry, ImportCheck
from studio.ui.edit_stack import LIMIT, Row, Stack
from studio.ui.markup import attributes, tag, text

# "op" for everything at once; "drag" moves only the number beside the slider, in the browser.
CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-op]');
  if (!button || button.tagName !== 'BUTTON') return;
  trigger('op', {op: button.dataset.op, at: Number(button.dataset.at), value: null});
});
element.addEventListener('input', (event) => {
  if (event.target.type !== 'range') return;
  const number = event.target.parentElement.querySelector('input[type=number]');
  if (number) number.value = event.target.value;
});
element.addEventListener('change', (event) => {
  event.stopPropagation();
  const field = event.target;
  if (field.dataset.op === 'strength' && !Number.isNaN(field.valueAsNumber)) {
    trigger('op', {op: 'strength', at: Number(field.dataset.at), value: field.valueAsNumber});
  }
});
"""
EMPTY = (
    '<p class="empty-line">No edits: the weights equal the base.</p>'
    '<p class="hint">An edit is a named change of the weights, made by erasing or aligning, or imported from a LoRA. '
    "It is listed here, to switch on and off and to weaken.</p>"
)
EXPORTS = (
    ("diffusers", "LoRA for diffusers"),
    ("kohya", "LoRA for A1111, ComfyUI, kohya"),
    ("peft", "peft folder (zip)"),
    ("palimpsest", "The edit itself"),
)
SLIDER = {"mask": (0.0, 1.0), "other": (-1.0, 2.0)}  # what the slider spans; the number beside it takes more


@dataclass(frozen=True)
class Known:
    """What is known of an edit of the stack. entry: None if its file is gone. misfit: which layer the model has not.

    base: "same" if it was made on these very weights, "other", or "" where nobody knows.
    """

    entry: EditEntry | None
    misfit: str = ""
    base: str = ""


def stack_html(stack: Stack, known: Mapping[str, Known]) -> str:
    """The rows."""
    parts = [tag("ol", "".join(_row(row, at, stack, known) for at, row in enumerate(stack.rows)), class_="stack")]
    if not stack.rows:
        parts = [EMPTY]
    if stack.undo:
        parts.append(tag("button", "Undo", type="button", class_="small", data_op="undo", data_at="0",
                         title="Take the last change of the stack back"))  # fmt: skip
    return "".join(parts)


def check_html(check: ImportCheck, name: str) -> str:
    """What of a file to import has a place in the model."""
    told = f"{name}: {check.matched} of {check.total} layers fit ({check.style})"
    ranks = f", rank {' and '.join(map(str, check.ranks[:4]))}" if check.ranks else ""
    parts = [tag("p", text(told + ranks + "."), class_="empty-line")]
    if check.left:
        some = ", ".join(check.left[:5]) + (" …" if len(check.left) > 5 else "")
        parts.append(tag("p", text(f"Without a place in this model: {some}"), class_="hint"))
    return tag("div", "".join(parts), role="status")


def _row(row: Row, at: int, stack: Stack, known: Mapping[str, Known]) -> str:
    about = known.get(row.edit, Known(None))
    name = about.entry.name if about.entry and about.entry.name else row.edit
    switch = tag("button", tag("span", text(name)), type="button", role="switch", class_="switch", data_op="toggle",
                 data_at=str(at), aria_checked=str(row.on).lower(), title=f"{row.edit}: switch on or off")  # fmt: skip
    return tag(
        "li",
        tag("div", switch + _badges(about), class_="head")
        + _strength(row, at, name, about)
        + tag("div", _tools(row, at, len(stack.rows), name, about), class_="tools"),
        class_="edit" if row.on else "edit off",
    )


def _badges(about: Known) -> str:
    if about.entry is None:
        return _badge("gone", "Its file is not in the workspace any more; pictures with it are refused.", bad=True)
    if about.entry.problem:
        return _badge("broken", about.entry.problem, bad=True)
    if about.misfit:
        return _badge("does not fit", about.misfit, bad=True)
    if about.base == "other":
        return _badge("other base", "It was made on other weights than this model's; it may do something else here.")
    return ""


def _badge(said: str, why: str, bad: bool = False) -> str:
    return tag("span", text(said), class_="badge bad" if bad else "badge", title=why, role="note",
               aria_label=f"{said}: {why}")  # fmt: skip


def _strength(row: Row, at: int, name: str, about: Known) -> str:
    low, high = SLIDER["mask" if about.entry and about.entry.kind == "mask" else "other"]
    low, high = min(low, row.strength), max(high, row.strength)
    shared: dict[str, Any] = {"value": f"{row.strength:g}", "data_op": "strength", "data_at": str(at)}
    slider = {
        "type": "range",
        "step": "0.05",
        "min": f"{low:g}",
        "max": f"{high:g}",
        "aria_label": f"Strength of {name}",
    }
    number = {"type": "number", "step": "any", "min": f"{-LIMIT:g}", "max": f"{LIMIT:g}",
              "aria_label": f"Strength of {name} as a number"}  # fmt: skip
    fields = (f"<input{attributes({**kind, **shared})}>" for kind in (slider, number))
    return tag("div", "".join(fields), class_="strength")


def _tools(row: Row, at: int, rows: int, name: str, about: Known) -> str:
    def button(op: str, label: str, title: str, disabled: bool = False) -> str:
        return tag("button", label, type="button", class_="small", data_op=op, data_at=str(at), title=title,
                   aria_label=f"{title}: {name}", disabled=disabled)  # fmt: skip

    tools = button("up", "↑", "Earlier", at == 0) + button("down", "↓", "Later", at == rows - 1)
    tools += button("remove", "Remove", "Take it out of the stack; the edit itself stays in the workspace")
    return tools + (_export(row) if about.entry and not about.entry.problem else "")


def _export(row: Row) -> str:
    links = "".join(
        tag("a", text(label), href=f"/edits/{quote(row.edit, safe='')}/{style}", download=True)
        for style, label in EXPORTS
    )
    return tag("details", tag("summary", "Export", class_="small") + tag("div", links, class_="choices"), class_="menu")


def to_add(entries: Sequence[EditEntry], stack: Stack) -> list[tuple[str, str]]:
    """(label, id) of the edits that could be added."""
    held = {row.edit for row in stack.rows}
    return [(entry.name or entry.id, entry.id) for entry in entries if entry.id not in held and not entry.problem]
