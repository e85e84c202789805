"""A menu of Gradio's that tells of a choice once, and whose entries change beneath a choice.

Gradio 6.31 sends `input` of a Dropdown twice where an entry is clicked, for the click and for leaving the box, and
once where the box is only entered and left. `select` is silent for the keyboard, and `change` is sent too where an
answer set the value. So the browser remembers what stood there when the box was entered, and lets pass what differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from studio.ui.wiring import BROWSER

_ENTERED = "(value) => {{ (window.palimpsestMenus ||= {{}})[{key}] = value; }}"
_CHOSEN = """(value) => {{
  const seen = window.palimpsestMenus ||= {{}};
  if (seen[{key}] === value) throw new Error('nothing else was chosen');  // an event that failed has no successor
  seen[{key}] = value;
}}"""
_keys = itertools.count()


def chosen(menu: gr.Dropdown) -> Callable[..., Any]:
    """What stands in for `menu.input`: called as that is, with a handler and what goes with it."""
    key = next(_keys)
    menu.focus(None, menu, None, js=_ENTERED.format(key=key), **BROWSER)
    return menu.input(None, menu, None, js=_CHOSEN.format(key=key), **BROWSER).success


def offered(entries: Sequence[tuple[str, Any]], chosen: Any, otherwise: Any) -> gr.Dropdown:
    """What a menu offers by now. Its value is left, for something else may be chosen before this arrives.

    entries: (words, value) each.
    chosen: the value that was sent; one that is not offered any more gives way to `otherwise`.
    """
    return gr.Dropdown(entries) if chosen in [value for _, value in entries] else gr.Dropdown(entries, value=otherwise)


def boxes_offered(entries: Sequence[tuple[str, Any]], chosen: Any) -> gr.CheckboxGroup:
    """The same of boxes to mark: marks are left, but for those of entries that are gone."""
    present = {value for _, value in entries}
    left = [value for value in chosen or () if value in present]
    return gr.CheckboxGroup(entries) if left == list(chosen or ()) else gr.CheckboxGroup(entries, value=left)
