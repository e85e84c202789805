"""Further negative prompts: rows of text, weight and the part of the run each acts in, as many as wanted.

A control of our own, because Gradio's have a fixed number of parts. It is gr.HTML whose value is not HTML but a list of
{prompt, weight, start, stop}; the template is empty of it, and the script puts every text in place as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.core.errors import BadInput
from studio.core.params import load, shown
from studio.core.recipe import MAX_NEGATIVES, Negative
from studio.ui import values

TEMPLATE = (
    '<div class="negatives" role="group" aria-label="Further negative prompts">'
    '<ol class="rows"></ol><button type="button" class="action quiet add">Add a negative prompt</button></div>'
)
SCRIPT = (
    """
const list = element.querySelector('.rows');
const add = element.querySelector('.add');
const part = (name, attributes) => Object.assign(document.createElement(name), attributes);
const fresh = {prompt: '', weight: 1, start: 0, stop: 1};
const told = {weight: 'Weight', start: 'Start', stop: 'Stop'};
const number = (name, max, step) => part('input', {type: 'number', className: name, min: 0, max, step});
function row() {
  const item = part('li'), span = part('div', {className: 'span'});
  span.append('Acts from', number('start', 1, 0.05), 'to', number('stop', 1, 0.05), 'of the steps');
  item.append(
    part('input', {type: 'text', className: 'text', maxLength: 10000}),
    number('weight', 10, 0.1),
    part('button', {type: 'button', className: 'remove', textContent: '×'}),
    span);
  return item;
}
function read() {
  return [...list.children].map((item) => {
    const found = {prompt: item.querySelector('.text').value};
    for (const name in told) {
      const value = item.querySelector('.' + name).valueAsNumber;
      found[name] = Number.isNaN(value) ? null : value;
    }
    return found;
  });
}
function draw() {
  const rows = Array.isArray(props.value) ? props.value : [];
  while (list.children.length > rows.length) list.lastChild.remove();
  while (list.children.length < rows.length) list.append(row());
  [...list.children].forEach((item, place) => {
    const [text, , remove] = item.children;
    const now = {...fresh, ...rows[place]}; // what was kept before there were windows has none
    if (text.value !== now.prompt) text.value = now.prompt;
    text.setAttribute('aria-label', `Negative prompt ${place + 2}`);
    for (const name in told) {
      const input = item.querySelector('.' + name);
      if (input.valueAsNumber !== now[name]) input.value = now[name] ?? '';
      input.setAttribute('aria-label', `${told[name]} of negative prompt ${place + 2}`);
      input.title = input.getAttribute('aria-label');
    }
    remove.setAttribute('aria-label', `Remove negative prompt ${place + 2}`);
    remove.title = remove.getAttribute('aria-label');
  });
  add.hidden = rows.length >= MOST;
}
function change(rows) { props.value = rows; draw(); trigger('change'); }
element.addEventListener('input', () => change(read()));
element.addEventListener('click', (event) => {
  if (event.target === add) {
    change([...read(), {...fresh}]);
    list.lastChild.firstChild.focus();
  }
  const remove = event.target.closest('.remove');
  if (remove) {
    const place = [...list.children].indexOf(remove.parentElement);
    change(read().filter((_, other) => other !== place));
    (list.children[place] ? list.children[place].firstChild : add).focus();
  }
});
watch('value', draw);
draw();
"""
).replace("MOST", str(MAX_NEGATIVES))


def control() -> gr.HTML:
    """The control, empty."""
    html = gr.HTML([], html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, elem_id="more-negatives")
    return values.holds(html, values.rows("a list of rows of text and weight"), "The further negative prompts")


def negatives(rows: Any) -> tuple[Negative, ...]:
    """What the rows say; rows without words say nothing. Raises BadInput."""
    if rows in (None, ""):
        return ()
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise BadInput(f"The further negative prompts must be a list, not {shown(rows)}.", field="more_negatives")
    prompts: list[Negative] = []
    for row in rows:
        if not isinstance(row, dict):
            raise BadInput(f"A further negative prompt must have a text and a weight, not {shown(row)}.")
        if str(row.get("prompt") or "").strip():
            prompts.append(load(Negative, row, "further negative prompt"))
    return tuple(prompts)


def rows_of(prompts: Sequence[Negative]) -> list[dict[str, Any]]:
    """The reverse of `negatives`."""
    return [dict(negative) for negative in prompts]
