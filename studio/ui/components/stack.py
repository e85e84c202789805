"""How the edit stack looks: a row for each edit, with what is known of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from studio.engine.edits.manifest import MAX_NAME_CHARS
from studio.services.edits.incoming import ImportCheck
from studio.services.edits.library import EditEntry
from studio.ui.edit_stack import LIMIT, EditRow, Stack
from studio.ui.markup import attributes, tag, text

# "op" for everything at once: {op, edit, value}. "drag" moves only the number beside the slider, in the browser, and so
# are a name's field and a question opened and closed.
CLICK = """
const tell = (from, value) => trigger('op', {op: from.dataset.op, edit: from.dataset.edit || '', value: value});
const rename = (row, on) => {
  row.querySelector('.head').hidden = on;
  const form = row.querySelector('.rename'), field = form.querySelector('input');
  form.hidden = !on;
  field.value = field.defaultValue;
  if (on) { field.focus(); field.select(); } else row.querySelector('.menu > summary').focus();
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const row = button.closest('.edit'), menu = button.closest('.menu');
  if (menu) menu.open = false;
  if (button.dataset.rename) rename(row, button.dataset.rename === 'open');
  else if (button.dataset.op && button.type === 'button') tell(button, null);
});
element.addEventListener('submit', (event) => {
  event.preventDefault();
  tell(event.target, event.target.querySelector('input').value);
});
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  const form = event.target.closest('.rename'), menu = event.target.closest('.menu');
  if (form) rename(form.closest('.edit'), false);
  else if (menu && menu.open) { menu.open = false; menu.querySelector('summary').focus(); }
});
element.addEventListener('focusout', (event) => {
  const menu = event.target.closest('.menu');
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});
element.addEventListener('toggle', (event) => {
  // A question is asked anew whenever its menu is opened.
  if (event.target.matches('.menu')) event.target.querySelectorAll('.sure').forEach((one) => { one.open = false; });
}, true);
element.addEventListener('input', (event) => {
  if (event.target.type !== 'range') return;
  const number = event.target.parentElement.querySelector('input[type=number]');
  if (number) number.value = event.target.value;
});
element.addEventListener('change', (event) => {
  event.stopPropagation();
  const field = event.target;
  if (field.type === 'checkbox') { tell(field, field.checked); return; }
  if (Number.isNaN(field.valueAsNumber)) return;
  if (field.dataset.op === 'strength') tell(field, field.valueAsNumber);
  else if (field.closest('.window')) tell(field, field.valueAsNumber / 100);
});
"""
EMPTY = (
    '<p class="empty-line">No edits: the weights equal the base.</p>'
    '<p class="hint">An edit is a named change of the weights, made by erasing or aligning, or imported from a LoRA. '
    "Edits are listed here: switch them on and off, and set their strengths.</p>"
)
EXPORTS = (
    ("diffusers", "LoRA for diffusers"),
    ("kohya", "LoRA for A1111, Forge, kohya"),
    ("comfyui", "LoRA for ComfyUI"),
    ("peft", "peft folder (zip)"),
    ("palimpsest", "The edit itself"),
)
GATED = "The edit's gate reads each prompt and lets 0 to 100 % of the strength through."
SLIDER = {"mask": (0.0, 1.0), "other": (-1.0, 2.0)}  # what the slider spans; the number beside it takes more


@dataclass(frozen=True)
class EditFacts:
    """What is known of an edit of the stack.

    entry: None if its file is gone.
    misfit: which layer the model has not, "" if it has all.
    base: "same" if it was made on these very weights, "other", or "" where nobody knows.
    no_gate: why its strength cannot follow the prompt, a sentence; "" if it can.
    disturbed: how others of the stack disturb it, a sentence; "" where they do not, or nobody knows.
    """

    entry: EditEntry | None
    misfit: str = ""
    base: str = ""
    no_gate: str = ""
    disturbed: str = ""


def stack_html(stack: Stack, facts: Mapping[str, EditFacts]) -> str:
    """The rows."""
    parts = [
        tag("ol", "".join(_row(row, at, len(stack.rows), facts) for at, row in enumerate(stack.rows)), class_="stack")
    ]
    if not stack.rows:
        parts = [EMPTY]
    if stack.undo:
        parts.append(
            tag(
                "button",
                "Undo",
                type="button",
                class_="small",
                data_op="undo",
                title="Undo the last change of the stack",
            )
        )
    return "".join(parts)


def check_html(check: ImportCheck, name: str) -> str:
    """What of a file to import has a place in the model."""
    message = f"{name}: {check.matched} of {check.total} layers fit ({check.style})"
    ranks = f", rank {' and '.join(map(str, check.ranks[:4]))}" if check.ranks else ""
    parts = [tag("p", text(message + ranks + "."), class_="empty-line")]
    if check.left:
        some = ", ".join(check.left[:5]) + (" …" if len(check.left) > 5 else "")
        parts.append(tag("p", text(f"Without a place in this model: {some}"), class_="hint"))
    return tag("div", "".join(parts), role="status")


def _row(row: EditRow, at: int, rows: int, facts: Mapping[str, EditFacts]) -> str:
    about = facts.get(row.edit, EditFacts(None))
    name = about.entry.name if about.entry and about.entry.name else row.edit
    switch = tag(
        "button",
        tag("span", text(name)),
        type="button",
        role="switch",
        class_="switch",
        data_op="toggle",
        data_edit=row.edit,
        aria_checked=str(row.on).lower(),
        title=f"{row.edit}: switch on or off",
    )
    return tag(
        "li",
        tag("div", switch + _badges(about), class_="head")
        + (_rename(row, name) if _is_whole(about) else "")
        + _strength(row, name, about)
        + _acts(row, name, about)
        + tag("div", _tools(row, at, rows, name, about), class_="tools"),
        class_="edit" if row.on else "edit off",
    )


def _is_whole(about: EditFacts) -> bool:
    return about.entry is not None and not about.entry.problem


def _rename(row: EditRow, name: str) -> str:
    """In the place of the name while it is written anew."""
    field = {
        "type": "text",
        "value": name,
        "maxlength": str(MAX_NAME_CHARS),
        "aria_label": f"New name of {name}",
        "required": True,
        "autocomplete": "off",
    }
    save = tag("button", "Rename", type="submit", class_="small")
    leave = tag("button", "Cancel", type="button", class_="small", data_rename="close")
    return tag(
        "form",
        f"<input{attributes(field)}>{save}{leave}",
        class_="rename",
        data_op="rename",
        data_edit=row.edit,
        hidden=True,
    )


def _badges(about: EditFacts) -> str:
    if about.entry is None:
        return _badge("gone", "Its file is not in the workspace any more; pictures with it are refused.", bad=True)
    if about.entry.problem:
        return _badge("broken", about.entry.problem, bad=True)
    if about.misfit:
        return _badge("does not fit", about.misfit, bad=True)
    if about.base == "other":
        return _badge("other base", "It was made on other weights than this model's; it may do something else here.")
    if about.disturbed:
        return _badge("interferes", about.disturbed)
    return ""


def _badge(word: str, why: str, bad: bool = False) -> str:
    return tag(
        "span", text(word), class_="badge bad" if bad else "badge", title=why, role="note", aria_label=f"{word}: {why}"
    )


def _strength(row: EditRow, name: str, about: EditFacts) -> str:
    low, high = SLIDER["mask" if about.entry and about.entry.kind == "mask" else "other"]
    low, high = min(low, row.strength), max(high, row.strength)
    shared: dict[str, Any] = {"value": f"{row.strength:g}", "data_op": "strength", "data_edit": row.edit}
    slider = {
        "type": "range",
        "step": "0.05",
        "min": f"{low:g}",
        "max": f"{high:g}",
        "aria_label": f"Strength of {name}",
    }
    number = {
        "type": "number",
        "step": "any",
        "min": f"{-LIMIT:g}",
        "max": f"{LIMIT:g}",
        "aria_label": f"Strength of {name} as a number",
    }
    fields = (f"<input{attributes({**kind, **shared})}>" for kind in (slider, number))
    return tag("div", "".join(fields), class_="strength")


def _acts(row: EditRow, name: str, about: EditFacts) -> str:
    """In which part of the steps, and whether as strongly as the prompt calls for: folded away while it always does."""
    start, stop = (
        f"<input{attributes(_percent(row, name, op, value))}>"
        for op, value in (("start", row.start), ("stop", row.stop))
    )
    is_whole = (row.start, row.stop) == (0.0, 1.0)
    summary = "Acts in all steps" if is_whole else f"Acts from {row.start:.0%} to {row.stop:.0%} of the steps"
    if row.auto:
        summary += ", as strongly as the prompt calls for"
    fields = tag("label", f"from {start} %") + tag("label", f"to {stop} %") + _gate(row, name, about)
    is_always = is_whole and not row.auto
    return tag("details", tag("summary", text(summary)) + fields, class_="window", open=not is_always)


def _gate(row: EditRow, name: str, about: EditFacts) -> str:
    """The switch of the edit's own gate. Where it has none, that is said before anybody is refused a picture."""
    if not _is_whole(about):
        return ""
    field = {
        "type": "checkbox",
        "checked": row.auto,
        "disabled": bool(about.no_gate) and not row.auto,  # what a recipe brought along can be taken away
        "data_op": "auto",
        "data_edit": row.edit,
        "aria_label": f"Strength of {name} follows the prompt",
    }
    label = tag("label", f"<input{attributes(field)}>{tag('span', 'strength follows the prompt')}", class_="gate")
    if not about.no_gate:
        return label + tag("p", GATED, class_="hint")
    wrong = f"{about.no_gate} Pictures with it are refused: switch this off." if row.auto else about.no_gate
    return label + tag("p", text(wrong), class_="hint wrong" if row.auto else "hint")


def _percent(row: EditRow, name: str, op: str, value: float) -> dict[str, Any]:
    return {
        "type": "number",
        "min": "0",
        "max": "100",
        "step": "5",
        "value": f"{100 * value:g}",
        "data_op": op,
        "data_edit": row.edit,
        "aria_label": f"{op.title()} of {name}, in per cent of the steps",
    }


def _tools(row: EditRow, at: int, rows: int, name: str, about: EditFacts) -> str:
    def button(op: str, label: str, title: str, disabled: bool = False) -> str:
        return tag(
            "button",
            label,
            type="button",
            class_="small",
            data_op=op,
            data_edit=row.edit,
            title=title,
            aria_label=f"{title}: {name}",
            disabled=disabled,
        )

    tools = button("up", "↑", "Earlier", at == 0) + button("down", "↓", "Later", at == rows - 1)
    tools += button("remove", "Remove", "Take it out of the stack; the edit itself stays in the workspace")
    return tools + (_menu(row, name, about) if about.entry else "")


def _menu(row: EditRow, name: str, about: EditFacts) -> str:
    """What is done to the edit itself rather than to the stack. A broken one can only be deleted."""
    inner = ""
    if _is_whole(about):
        links = "".join(
            tag("a", text(label), href=f"/edits/{quote(row.edit, safe='')}/{style}", download=True)
            for style, label in EXPORTS
        )
        inner = tag("button", "Rename", type="button", data_rename="open")
        inner += tag("div", tag("span", "Export as", class_="group") + links, role="group", aria_label="Export as")
    question = f"Delete the edit {name} from the workspace? Its pictures stay, but cannot be drawn again."
    sure = tag("button", "Delete it for good", type="button", data_op="delete", data_edit=row.edit)
    inner += tag("details", tag("summary", "Delete") + tag("p", text(question)) + sure, class_="sure")
    summary = tag("summary", "More", class_="small", aria_label=f"More: {name}")
    return tag("details", summary + tag("div", inner, class_="choices"), class_="menu")


def to_add(entries: Sequence[EditEntry], present: Collection[str]) -> list[tuple[str, str]]:
    """(label, id) of the edits that could be added. present: ids of those in the stack."""
    return [(entry.name or entry.id, entry.id) for entry in entries if entry.id not in present and not entry.problem]
