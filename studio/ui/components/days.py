"""Two days, from and until: the browser's own date fields, which every keyboard and screen reader can use.

gr.DateTime's field has no label that belongs to it. The value is a list of two texts, YYYY-MM-DD or "".
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.ui.values import holds, texts

TEMPLATE = (
    '<div class="days">'
    '<label><span>From</span><input type="date" class="since"></label>'
    '<label><span>Until</span><input type="date" class="until"></label>'
    '<p class="info">Both days included.</p></div>'
)
SCRIPT = """
const fields = ['.since', '.until'].map((name) => element.querySelector(name));
const draw = () => fields.forEach((field, place) => { field.value = (props.value || [])[place] || ''; });
element.addEventListener('change', (event) => {
  event.stopPropagation();
  props.value = fields.map((field) => field.value);
  trigger('change');
});
watch('value', draw);
draw();
"""


def control() -> gr.HTML:
    """The control, with no day chosen."""
    html = gr.HTML(["", ""], html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False, elem_id="days")
    return holds(html, texts("a list of two days"), "From and until")


def days(value: Any) -> tuple[str, str]:
    """The two days as text; "" for any that is not chosen."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return "", ""
    since, until = (str(day or "").strip() for day in value)
    return since, until
