"""Declared parameters as HTML, where one value stands for many controls and one event tells what was done.

    {op, row, at, name, value}     op: what is done; row, at, name: with what, as the control's data-* say; at is text

A slider with a number where both bounds are known, else a number, a switch, a list or a text. Only those that matter
beside the others are shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.params import ParamSpec, mattering, nameable
from studio.ui import controls
from studio.ui.components.scale_range import marked
from studio.ui.markup import attributes, tag, text

# Of a list: (label, name), and for what cannot be chosen a sentence that says why.
Entry = tuple[str, str] | tuple[str, str, str]

# The host of the controls says what `tell` does with (the control, its value). A slider tells when it is let go of;
# until then only the number beside it follows, in the browser, and so does what depends on a choice.
SCRIPT = """
const all = (selector) => [...element.querySelectorAll(selector)];
function follow() {
  for (const one of all('.param[data-when]')) {
    const op = one.dataset.of;
    one.hidden = !Object.entries(JSON.parse(one.dataset.when)).every(([name, values]) => {
      const field = one.parentElement.querySelector(
        `:scope > .param [data-op="${CSS.escape(op)}"][data-name="${CSS.escape(name)}"]`);
      return !field || values.includes(field.type === 'checkbox' ? field.checked : field.value);
    });
  }
}
// Gradio changes only what differs from what it wrote before, and a browser leaves alone what a user has moved: a
// control that now stands for another parameter would go on showing the former's value.
function settle() {
  for (const field of all('[data-op]')) {
    if (field.type === 'checkbox') field.checked = field.hasAttribute('checked');
    else if (field.tagName === 'SELECT') field.value = (field.querySelector('option[selected]') || {value: ''}).value;
    else if (field !== document.activeElement) {  // nobody is typing there
      if (field.tagName === 'INPUT') field.value = field.getAttribute('value') || '';
      if (field.tagName === 'TEXTAREA') field.value = field.defaultValue;
    }
  }
  follow();
}
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
  follow();
  if (field.type === 'checkbox') tell(field, field.checked);
  else if (field.type === 'range' || field.type === 'number') {
    if (!Number.isNaN(field.valueAsNumber)) tell(field, field.valueAsNumber);
  } else { tell(field, field.value); if (field.dataset.once) field.value = ''; }
});
"""


def parameters(
    params: Sequence[ParamSpec],
    settings: Mapping[str, Any],
    op: str,
    row: int,
    at: str = "",
    inside: Sequence[ParamSpec] = (),
    explained: bool = False,
) -> list[str]:
    """A control for each parameter, those that do not matter hidden.

    settings: values by name; those left out are the defaults.
    op, row, at: what an event tells, and of what.
    inside: the parameters of the method around which it is put, of which some of `params` may be names.
    explained: see `control`.
    """
    visible = mattering(params, settings)
    return [
        control(spec, settings.get(spec.name, spec.default), op, row, at, spec.name not in visible, inside, explained)
        for spec in params
    ]


def control(
    spec: ParamSpec,
    value: Any,
    op: str,
    row: int,
    at: str = "",
    hidden: bool = False,
    inside: Sequence[ParamSpec] = (),
    explained: bool = False,
) -> str:
    """The control of one parameter. explained: with its explanation in sight, and a button [data-reset]."""
    data = {"data_op": op, "data_row": str(row), "data_at": at, "data_name": spec.name}
    name, help = controls.label(spec), controls.explanation(spec)
    if spec.kind == "bool":
        field = f"<input{attributes({'type': 'checkbox', 'checked': bool(value), 'aria-label': name, **data})}>"
    elif spec.kind == "choice":
        field = options(
            [(controls.choice(choice), choice) for choice in spec.choices or ()], str(value), aria_label=name, **data
        )
    elif spec.names:
        field = options(_names(spec, str(value), inside), str(value), aria_label=name, **data)
    elif spec.kind == "text":
        field = f"<input{attributes({'type': 'text', 'value': value, 'maxlength': 1000, 'aria-label': name, **data})}>"
    else:
        field = _number(spec, value, name, data)
    when = {"data_of": op, "data_when": json.dumps(dict(spec.when)), "hidden": hidden} if spec.when else {}
    label = tag("span", text(name), class_="label", title=help)
    sort = "choice" if spec.names else spec.kind
    if not explained:
        return tag("div", label + field, class_=f"param {sort}", title=help, **when)
    back = tag(
        "button",
        "↺",
        type="button",
        class_="small",
        data_reset="1",
        hidden=True,
        title="Back to the default",
        aria_label=f"{name}: back to the default",
    )
    hint = tag("span", text(help), class_="hint")
    return tag("div", label + back + field + hint, class_=f"param {sort} explained", **when)


def _names(spec: ParamSpec, value: str, inside: Sequence[ParamSpec]) -> list[Entry]:
    """What may be named; and what is, if that is none of them: it must not look as if something else were."""
    entries: list[Entry] = [(controls.label(candidate), candidate.name) for candidate in nameable(spec, inside)]
    is_listed = any(entry[1] == value for entry in entries)
    return entries if is_listed else [(f"Not here: {value}", value), *entries]


def select(op: str, row: int, label: str, entries: Sequence[Entry], value: str, at: str = "") -> str:
    """A list under a label."""
    data = {"data_op": op, "data_row": str(row), "data_at": at}
    caption = tag("span", text(label), class_="label")
    return tag("label", caption + options(entries, value, **data), class_="param choice")


def options(entries: Sequence[Entry], value: str, **attrs: Any) -> str:
    """A list without a label."""
    return tag("select", options_html(entries, value), **attrs)


def options_html(entries: Sequence[Entry], value: str | None = None) -> str:
    """What a list offers. value: what is chosen of it."""
    return "".join(_option(*entry, chosen=entry[1] == value) for entry in entries)


def _option(label: str, name: str, reason: str = "", *, chosen: bool) -> str:
    return tag("option", text(label), value=name, selected=chosen, disabled=bool(reason), title=reason or None)


def button(op: str, row: int, label: str, title: str, at: str = "", disabled: bool = False) -> str:
    """A small button; title: what it does, in words."""
    return tag(
        "button",
        label,
        type="button",
        class_="small",
        data_op=op,
        data_row=str(row),
        data_at=at,
        title=title,
        aria_label=title,
        disabled=disabled,
    )


def _number(spec: ParamSpec, value: Any, name: str, data: Mapping[str, str]) -> str:
    step = spec.step if spec.step is not None else 1 if spec.kind == "int" else 0.01
    shared: dict[str, Any] = {"min": spec.low, "max": spec.high, "step": step, "value": _shown(value), **data}
    number = f"<input{attributes({'type': 'number', 'aria-label': name, **shared})}>"
    if spec.low is None or spec.high is None:
        return number
    slider = f"<input{attributes({'type': 'range', 'aria-label': f'{name}, slider', **shared})}>"
    return tag("span", slider + number, **marked(spec))


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
