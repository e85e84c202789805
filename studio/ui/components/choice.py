"""A choice among methods: a menu, and the controls of each method, of which only those of the chosen one are shown.

The controls are not components of Gradio's, of which there would be 82, and every event of a page looks at all of
them (docs/design/0013): all methods' first parameters are one, and all the others another. What is set stays set
while another method is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import gradio as gr
from gradio.components import Component

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.ui import controls
from studio.ui.components import fields
from studio.ui.markup import tag
from studio.ui.methods import Method
from studio.ui.wiring import BROWSER

# Of each method's parameters, those of one control. What one depends on must be in the same part.
PARTS = {"first": slice(0, 1), "rest": slice(1, None)}

# The value is the JSON of {method: {parameter: value}}, of what was set; "" where nothing was. Which method is chosen
# is told by the menu (_FOLLOW), and until then by the element itself.
_SCRIPT = """
const key = element.firstElementChild.dataset.key;
const held = () => {
  try { return JSON.parse(props.value || '{}') || {}; } catch { return {}; }
};
const tell = (field, value) => {
  const whole = held(), {at, name} = field.dataset;
  whole[at] = {...whole[at], [name]: value};
  props.value = JSON.stringify(whole);
  trigger('input');
  marks();
};
const first = (field) => {
  if (field.type === 'checkbox') return field.hasAttribute('checked');
  if (field.tagName === 'SELECT') return (field.querySelector('option[selected]') || {value: ''}).value;
  return field.type === 'text' ? field.getAttribute('value') || '' : Number(field.getAttribute('value'));
};
const now = (field) => {
  if (field.type === 'checkbox') return field.checked;
  return field.type === 'number' || field.type === 'range' ? field.valueAsNumber : field.value;
};
const put = (field, value) => {
  if (field.type === 'checkbox') field.checked = Boolean(value);
  else field.value = String(value);
};
// What is as it comes has nothing to be put back.
function marks() {
  for (const param of all('.param')) {
    const field = param.querySelector('[data-op]:not([type=range])'), button = param.querySelector('[data-reset]');
    if (button) button.hidden = now(field) === first(field);
  }
}
function show() {
  const whole = held(), chosen = (window.palimpsestChosen || {})[key] || element.firstElementChild.dataset.chosen;
  for (const group of all('.method-controls')) group.hidden = group.dataset.method !== chosen;
  settle();
  for (const field of all('[data-op]')) {
    const value = (whole[field.dataset.at] || {})[field.dataset.name];
    if (value !== undefined && field !== document.activeElement) put(field, value);
  }
  follow();
  marks();
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-reset]');
  if (!button) return;
  const same = [...button.closest('.param').querySelectorAll('[data-op]')];
  same.forEach((field) => put(field, first(field)));
  follow();
  tell(same[0], first(same[0]));
  same[same.length - 1].focus();
});
// A number that was deleted is no number: what counts comes back.
element.addEventListener('focusout', (event) => {
  if (event.target.type === 'number' && Number.isNaN(event.target.valueAsNumber)) setTimeout(show);
});
"""
_BEGIN = """
watch('value', show);
window.addEventListener('palimpsest-chosen', show);
show();
"""
# In the browser alone. Not as a property of the controls: Gradio 6.31 loses one that is set while the component is
# folded away.
_FOLLOW = """(name) => {
  (window.palimpsestChosen ||= {})[KEY] = name;
  window.dispatchEvent(new Event('palimpsest-chosen'));
}"""


class Controls(Protocol):
    """What a menu's controls are added to, such as a form."""

    def add(self, name: str, component: Component) -> Any: ...


class Choice:
    """One menu and its controls, laid out in parts. key: what names its values.

    In a form the value of the menu is named `<key>`, and those of the controls `<key>.<part>`.
    """

    def __init__(self, form: Controls, key: str, methods: Mapping[str, Method], default: str) -> None:
        self.form, self.key, self.methods, self.default = form, key, methods, default
        self.parameters: list[gr.HTML] = []  # the controls made so far, the menu not among them

    def menu(self, label: str, info: str) -> gr.Dropdown:
        """Lay out the menu."""
        choices = [(method.label, name) for name, method in self.methods.items()]
        dropdown = gr.Dropdown(choices, value=self.default, label=label, info=info, elem_id=self.key.replace("_", "-"))
        dropdown.change(None, dropdown, None, js=_FOLLOW.replace("KEY", repr(self.key)), **BROWSER)
        return self.form.add(self.key, dropdown)

    def controls(self, part: str) -> gr.HTML:
        """Lay out the controls of one of `PARTS`."""
        html = gr.HTML(
            "",
            html_template=part_html(self.key, self.methods, self.default, part),
            js_on_load=fields.SCRIPT + _SCRIPT + _BEGIN,
            apply_default_css=False,
            elem_id=f"{self.key}-{part}",
            elem_classes="choice-part",
        )
        self.parameters.append(self.form.add(f"{self.key}.{part}", html))
        return html


def part_html(key: str, methods: Mapping[str, Method], default: str, part: str) -> str:
    """The controls of one of `PARTS`, as a template for gr.HTML, in which braces would be code."""
    groups = "".join(
        tag(
            "div",
            "".join(fields.parameters(method.params[PARTS[part]], {}, "param", 0, name, explained=True)),
            class_="method-controls",
            data_method=name,
            hidden=name != default,
        )
        for name, method in methods.items()
        if method.params[PARTS[part]]
    )
    return tag("div", groups, class_="guide alone", data_key=key, data_chosen=default).replace("{", "&#123;")


def chosen(values: Mapping[str, Any], key: str, noun: str, methods: Mapping[str, Method]) -> tuple[str, dict[str, Any]]:
    """The method that a form's values name, and all its parameters. noun: what a method is called in messages.

    Raises NotFound, BadInput.
    """
    name = str(values[key])
    if name not in methods:
        raise NotFound(f"There is no {noun} named {shown(name)}; there are {', '.join(methods)}.", field=key)
    settings: dict[str, Any] = {}
    for part in PARTS:
        settings |= _read(values.get(f"{key}.{part}"), noun).get(name, {})
    return name, controls.values(methods[name].params, settings)


def values_of_choice(key: str, name: str, params: Mapping[str, Any], methods: Mapping[str, Method]) -> dict[str, Any]:
    """The reverse of `chosen`; parameters left out take their defaults, for that is what a recipe means by it."""
    values: dict[str, Any] = {key: name}
    specs = methods[name].params if name in methods else ()
    for part, place in PARTS.items():
        params_of_part = {spec.name: params.get(spec.name, spec.default) for spec in specs[place]}
        values[f"{key}.{part}"] = json.dumps({name: params_of_part}) if params_of_part else ""
    return values


def _read(value: Any, noun: str) -> dict[str, dict[str, Any]]:
    """What the controls of a part hold. Raises BadInput for what they cannot."""
    try:
        settings = json.loads(value) if value else {}
    except (TypeError, ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict) or not all(isinstance(params, dict) for params in settings.values()):
        raise BadInput(f"The parameters of the {noun} must be JSON objects by its name, not {shown(value)}.")
    return settings
