"""A menu of Gradio's that tells of a choice once.

Gradio 6.31 sends `input` of a Dropdown twice where an entry is clicked, for the click and for leaving the box, and
once where the box is only entered and left. `select` is silent for the keyboard, and `change` is sent too where an
answer set the value. So the browser remembers what stood there when the box was entered, and lets pass what differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
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
