"""The page behind a link: one person's pad, without the studio around it."""

from __future__ import annotations

from studio.ui import theme
from studio.ui.label import pad
from studio.ui.markup import tag, text

# Light or dark as the system has it; the studio's own switch is not here.
_THEME = """
const system = matchMedia('(prefers-color-scheme: dark)');
const paint = () => {
  document.body.classList.toggle('dark', system.matches);
  document.documentElement.style.colorScheme = system.matches ? 'dark' : 'light';
};
system.addEventListener('change', paint);
paint();
"""
_STYLE = """
body { margin: 0; font: 15px/1.5 %s; }
main { padding: 16px 20px 40px; }
button { font: inherit; }
"""


def page_html(base: str, name: str) -> str:
    """The whole page. base: where the addresses of the pad begin. name: of the annotator."""
    fonts = ", ".join(f'"{font}"' if " " in font else font for font in theme.SANS)
    sheets = "".join(
        (theme.HERE / file).read_text(encoding="utf-8") for file in ("style.css", "components/results.css")
    )
    script = f"{_THEME}const element = document.querySelector('main');\n{pad.script(base, has_owner=True)}"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        + tag("title", text(f"Label pictures: {name}"))
        + f"<style>{_STYLE % fonts}{sheets}{pad.STYLE}</style>"
    )
    body = tag("main", tag("div", "", class_=pad.CLASS), class_="gradio-container") + f"<script>{script}</script>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
