"""Pictures out of the history, to choose some of them: a search, tiles, and what is chosen. See tiles.py.

The value is the list of their numbers, in the order in which they were chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.ui.components import history
from studio.ui.components.history import MAX_SEARCH_CHARS, Query
from studio.ui.components.tiles import tiles_html
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag
from studio.ui.values import holds, wholes

if TYPE_CHECKING:
    from studio.services.studio import Studio

_SCRIPT = (
    Path(__file__).with_name("picker.js").read_text(encoding="utf-8")
    + """
const place = element.querySelector('.picker-tiles'), search = element.querySelector('input');
const said = element.querySelector('.picker-said');
let last = 0, painted = '';
function chosen(ids) {
  said.textContent = ids.length ? `${ids.length} chosen` : 'Click pictures to choose them.';
  props.value = ids;
  trigger('change');
}
async function find() {
  const mine = ++last;
  const html = await server.picker_page(search.value);
  // A tile that is taken away while it is pressed is never clicked.
  while (element.matches(':active')) await new Promise((next) => setTimeout(next, 100));
  if (mine !== last || html === painted) return;
  place.innerHTML = painted = html;
  mark();
}
let waiting = 0;
search.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(find, 250); });
search.addEventListener('change', (event) => event.stopPropagation());
watch('value', () => {
  if ((props.value || []).length) return;  // emptied: they were taken
  selection.clear();
  mark();
  said.textContent = 'Click pictures to choose them.';
});
element.toggleAttribute('data-selecting', true);
new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) find(); }).observe(element);
"""
)


def control(studio: Studio, id: str, most: int) -> gr.HTML:
    """The control, with nothing chosen. id: of the element. most: how many can be chosen."""

    def picker_page(words: Any) -> str:
        return page_html(studio, words)

    template = tag(
        "div",
        tag(
            "label",
            tag("span", "Find") + f'<input type="text" maxlength="{MAX_SEARCH_CHARS}" placeholder="words of a prompt">',
        )
        + tag("p", "Click pictures to choose them.", class_="picker-said hint", role="status")
        + tag("div", "", class_="picker-tiles"),
        class_="picker",
    )
    html = gr.HTML(
        [],
        html_template=template,
        js_on_load=_SCRIPT,
        apply_default_css=False,
        elem_id=id,
        server_functions=[picker_page],
    )
    return holds(html, wholes(most, least=0), "The pictures that are chosen")


def page_html(studio: Studio, words: Any) -> str:
    """The newest tiles whose prompts hold all these words. What is no text finds everything."""
    query = Query(search=words.strip()[:MAX_SEARCH_CHARS] if isinstance(words, str) else "")
    try:
        tiles, _, _ = history.tiles_of(studio, query)
    except StudioError as error:
        return alert(sentence(error))
    return tiles_html(tiles) if tiles else tag("p", "No picture's prompt has these words.", class_="empty-line")
