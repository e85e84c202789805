"""What the model makes of a prompt's words, and prompts to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.models.tokens import TokenReport

EXAMPLES = (
    "a striped purple star on a meadow background",
    "a neon cyan ring on a night background",
    "a watercolor pink flower on a white background",
    "a checkered green fish on a sunset background",
    "a shaded red heart left of a shaded blue circle on a grey background",
    "a small dotted orange house at the top on a black background",
)
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


def chips_html(prompts: tuple[str, ...] = EXAMPLES) -> str:
    """Buttons that put a whole prompt into the box."""
    chips = "".join(tag("li", tag("button", text(p), type="button", class_="chip", data_fill=p)) for p in prompts)
    return tag("ul", chips, class_="chips", aria_label="Example prompts")
