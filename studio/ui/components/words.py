"""What the model makes of a prompt's words, prompts to begin with, and wildcards to put in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from studio.ui.markup import tag, text
from studio.world.examples import EXAMPLES

if TYPE_CHECKING:
    from studio.models.tokens import TokenReport, TokenRow

UNCLOSED = "A bracket is not closed, so it weighs all that follows; write \\( or \\[ for a plain one."
CLICK = """
element.addEventListener('click', (event) => {
  const chip = event.target.closest('[data-fill]');
  if (chip) trigger('fill', {prompt: chip.dataset.fill});
  const put = event.target.closest('[data-put]');
  const box = document.querySelector('#prompt textarea');
  if (put && box) {
    const {value, selectionStart: start, selectionEnd: end} = box;
    const before = start && !/[\\s([{|]/.test(value[start - 1]) ? ' ' : '';
    const after = end < value.length && !/[\\s)\\]}|,.:;]/.test(value[end]) ? ' ' : '';
    box.setRangeText(before + put.dataset.put + after, start, end, 'end');
    box.dispatchEvent(new Event('input', {bubbles: true}));
    box.focus();
  }
});
"""


def report_html(report: TokenReport, prompt: str = "", read: str = "", example: bool = False) -> str:
    """Tokens counted, unknown words, weights and what is cut, under a prompt.

    prompt: the prompt that was counted. read: the same, where styles or wildcards make it other than what is typed.
    example: whether the wildcards will be drawn anew.
    """
    if not report.tokens:
        return ""
    parts = [tag("span", _count(report), class_="count")]
    if report.unknown_words:
        words = ", ".join(f"“{text(word)}”" for word in report.unknown_words)
        parts.append(tag("span", f"Not in its vocabulary: {words}", class_="unknown"))
    weighed = weighed_html(prompt, report.rows) if any(row.weight != 1 for row in report.rows) else ""
    if weighed and not read:
        parts.append(tag("span", weighed, class_="weighed"))
    if report.unclosed:
        parts.append(tag("span", text(UNCLOSED), class_="unclosed"))
    if report.is_cut:
        parts.append(tag("span", f"Too long; this is not read: {tag('del', text(report.cut))}", class_="cut"))
    if read:
        how = "Reads, for example" if example else "Reads"
        parts.append(tag("span", f"{how}: {tag('q', weighed or text(read))}", class_="read"))
    return tag("p", "".join(parts), class_="report", role="status")


def problem_html(sentence: str) -> str:
    """In place of the report, where the prompt cannot be read."""
    return tag("p", tag("span", text(sentence), class_="cut"), class_="report", role="status")


def weighed_html(prompt: str, rows: Iterable[TokenRow]) -> str:
    """The prompt's words, those with a weight of their own marked with it."""
    groups: list[tuple[int, int, float]] = []
    for row in sorted(rows, key=lambda row: row.start):
        if groups and groups[-1][2] == row.weight:
            groups[-1] = (groups[-1][0], max(groups[-1][1], row.end), row.weight)
        else:
            groups.append((row.start, row.end, row.weight))
    words = [
        text(prompt[start:end])
        if weight == 1
        else tag("b", text(prompt[start:end]) + tag("sub", f"{weight:.2g}"), class_="up" if weight > 1 else "down")
        for start, end, weight in groups
    ]
    return " ".join(words)


def chips_html() -> str:
    """Buttons that put a whole prompt into the box; the last one asks for a new one each time."""
    chips = [
        tag("button", text(example.name), type="button", class_="chip", data_fill=example.prompt, title=example.prompt)
        for example in EXAMPLES
    ]
    chips.append(
        tag(
            "button",
            "surprise me",
            type="button",
            class_="chip surprise",
            data_fill="",
            title="A prompt about a random scene of the model's world",
        )
    )
    return _list(chips, "Example prompts")


def wildcards_html(lists: Mapping[str, tuple[str, ...]], problems: Iterable[str] = ()) -> str:
    """Buttons that put a wildcard into the prompt, and what cannot be used."""
    chips = [
        tag(
            "button",
            f"__{text(name)}__",
            type="button",
            class_="chip wild",
            data_put=f"__{name}__",
            title=f"One of {len(entries)}: {', '.join(entries[:5])}…",
        )
        for name, entries in lists.items()
    ]
    wrong = "".join(tag("p", text(problem), class_="hint wrong") for problem in problems)
    hint = tag("p", "A wildcard stands for one entry of its list, drawn by the picture's seed.", class_="hint")
    return hint + _list(chips, "Wildcards") + wrong


def _count(report: TokenReport) -> str:
    count = f"{report.tokens} of {report.limit} tokens"
    return f"{count}, in {len(report.chunks)} chunks" if len(report.chunks) > 1 else count


def _list(chips: list[str], label: str) -> str:
    return tag("ul", "".join(tag("li", chip) for chip in chips), class_="chips", aria_label=label)
