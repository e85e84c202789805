"""What the model makes of a prompt's words, and prompts to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.models.tokens import TokenReport

# What the chip says -> the whole prompt.
EXAMPLES = {
    "striped star": "a striped purple star on a meadow background",
    "neon ring": "a neon cyan ring on a night background",
    "painted flower": "a watercolor pink flower on a white background",
    "checkered fish": "a checkered green fish on a sunset background",
    "heart and circle": "a shaded red heart left of a shaded blue circle on a grey background",
    "house at the top": "a dotted orange house at the top on a black background",
}
CLICK = """
element.addEventListener('click', (event) => {
  const chip = event.target.closest('[data-fill]');
  if (chip) trigger('fill', {prompt: chip.dataset.fill});
});
"""


def report_html(report: TokenReport) -> str:
    """Tokens counted, unknown words and what is cut, under a prompt."""
    if not report.tokens:
        return ""
    parts = [tag("span", f"{report.tokens} of {report.limit} tokens", class_="count")]
    if report.unknown_words:
        words = ", ".join(f"“{text(word)}”" for word in report.unknown_words)
        parts.append(tag("span", f"Not in its vocabulary: {words}", class_="unknown"))
    if report.is_cut:
        parts.append(tag("span", f"Too long; this is not read: {tag('del', text(report.cut))}", class_="cut"))
    return tag("p", "".join(parts), class_="report", role="status")


def chips_html() -> str:
    """Buttons that put a whole prompt into the box; the last one asks for a new one each time."""
    chips = [tag("button", text(name), type="button", class_="chip", data_fill=prompt, title=prompt)
             for name, prompt in EXAMPLES.items()]  # fmt: skip
    chips.append(tag("button", "surprise me", type="button", class_="chip surprise", data_fill="",
                     title="A prompt about a random scene of the model's world"))  # fmt: skip
    return tag("ul", "".join(tag("li", chip) for chip in chips), class_="chips", aria_label="Example prompts")
