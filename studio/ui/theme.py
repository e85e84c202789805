"""How the page looks: Gradio's variables pointed at the colours of style.css, and the files that go into <head>.

The colours themselves, light and dark, stand in style.css alone. Fonts are the system's: nothing is fetched.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

HERE = Path(__file__).resolve().parent
SANS = ("Inter", "Segoe UI", "Helvetica Neue", "Noto Sans", "Liberation Sans", "Arial", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Liberation Mono", "Consolas", "monospace")

# Gradio's variable -> a value. Each is also set for dark, where the same name has the dark colour: a variable that
# Gradio declares at the root only would keep the light one.
VARIABLES = {
    "body_text_color_subdued": "var(--ink-soft)",
    "background_fill_primary": "var(--sheet)",
    "background_fill_secondary": "var(--paper)",
    "border_color_primary": "var(--rule)",
    "border_color_accent": "var(--rubric)",
    "color_accent_soft": "var(--rubric-wash)",
    "link_text_color": "var(--rubric)",
    "link_text_color_hover": "var(--rubric-deep)",
    "link_text_color_visited": "var(--rubric)",
    "link_text_color_active": "var(--rubric-deep)",
    "block_background_fill": "transparent",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_padding": "0px",
    "block_radius": "6px",
    "block_label_text_color": "var(--ink)",
    "block_title_text_color": "var(--ink)",
    "block_title_text_weight": "600",
    "block_title_text_size": "13px",
    "block_info_text_color": "var(--ink-soft)",
    "block_info_text_size": "12px",
    "accordion_text_color": "var(--ink)",
    "panel_background_fill": "transparent",
    "panel_border_width": "0px",
    "container_radius": "6px",
    "form_gap_width": "0px",
    "layout_gap": "14px",
    "input_background_fill": "var(--sheet)",
    "input_background_fill_focus": "var(--sheet)",
    "input_border_color": "var(--field)",
    "input_border_color_focus": "var(--verdigris)",
    "input_border_width": "1px",
    "input_radius": "6px",
    "input_shadow": "none",
    "input_shadow_focus": "none",
    "input_placeholder_color": "var(--ink-faint)",
    "input_padding": "9px 11px",
    "slider_color": "var(--rubric)",
    "button_primary_background_fill": "var(--seal)",
    "button_primary_background_fill_hover": "var(--seal-deep)",
    "button_primary_text_color": "var(--on-seal)",
    "button_primary_text_color_hover": "var(--on-seal)",
    "button_primary_border_color": "transparent",
    "button_secondary_background_fill": "var(--sheet)",
    "button_secondary_background_fill_hover": "var(--rubric-wash)",
    "button_secondary_text_color": "var(--ink)",
    "button_secondary_border_color": "var(--field)",
    "button_cancel_background_fill": "var(--sheet)",
    "button_cancel_background_fill_hover": "var(--rubric-wash)",
    "button_cancel_text_color": "var(--rubric)",
    "button_cancel_text_color_hover": "var(--rubric)",
    "button_cancel_border_color": "var(--rubric)",
    "button_border_width": "1px",
    "button_large_radius": "6px",
    "button_transform_hover": "none",
    "button_transform_active": "none",
    "error_background_fill": "var(--rubric-wash)",
    "error_border_color": "var(--rubric)",
    "error_text_color": "var(--rubric)",
    "loader_color": "var(--rubric)",
}


# Behind the few of Gradio's colours that no variable above reaches (its focus rings, its progress marks).
RUBRIC = gr.themes.Color(
    name="rubric",
    c50="#fbf1ec",
    c100="#f3e2d8",
    c200="#e6c3b2",
    c300="#d79c85",
    c400="#c26f53",
    c500="#ad4a2f",
    c600="#9c3520",
    c700="#7f2814",
    c800="#64200f",
    c900="#4c190d",
    c950="#2c0e07",
)


def colours(dark: bool) -> dict[str, str]:
    """Name -> #rrggbb, as style.css has them."""
    block = _read("style.css").split(".dark {" if dark else ":root {", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def theme() -> gr.themes.Base:
    """The Gradio theme."""
    settable = inspect.signature(gr.themes.Base.set).parameters
    dark = {f"{name}_dark": value for name, value in VARIABLES.items() if f"{name}_dark" in settable}
    base = gr.themes.Base(
        primary_hue=RUBRIC,
        secondary_hue=RUBRIC,
        neutral_hue="stone",
        font=SANS,
        font_mono=MONO,
        text_size="md",
        radius_size="sm",
        spacing_size="md",
    )
    # Written out, since Gradio paints these before it takes in our stylesheet.
    light, night = colours(dark=False), colours(dark=True)
    first = {
        "body_background_fill": light["paper"],
        "body_background_fill_dark": night["paper"],
        "body_text_color": light["ink"],
        "body_text_color_dark": night["ink"],
    }
    return base.set(**VARIABLES, **dark, **first)


class TabHead(Protocol):
    """What of a tab goes into <head>.

    style: its style sheet, as CSS.
    facts: what the page's script knows of it.
    """

    @property
    def style(self) -> str: ...
    @property
    def facts(self) -> dict[str, Any]: ...


def head(tabs: Sequence[TabHead]) -> str:
    """What goes into <head>: the scripts with what they need to know of the tabs, and the stylesheets of the page, of
    its components and of the tabs, whose selectors Gradio's `css` would rewrite.
    """
    styles = [*(_read(name) for name in ("style.css", *components())), *(tab.style for tab in tabs), _read("demo.css")]
    # "<" is written so that no text of a tab ends the script.
    facts = json.dumps([tab.facts for tab in tabs]).replace("<", "\\u003c")
    script = f"window.palimpsestTabs = {facts};\n{_read('page.js')}{_read('about.js')}{_read('demo.js')}"
    return f"<style>\n{''.join(styles)}</style>\n<script>\n{script}</script>"


def components() -> list[str]:
    """The style sheets of components, each beside what it dresses."""
    return sorted(path.relative_to(HERE).as_posix() for path in (HERE / "components").rglob("*.css"))


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
