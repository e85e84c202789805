"""The erasures and balances of the workspace: what each did, by which method, and how big it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.services.edits.library import EditEntry
from studio.training.balance.outcome import Level
from studio.ui.erase import cards
from studio.ui.erase.balance.run import outcome_of, shares_in
from studio.ui.erase.board import concepts_of
from studio.ui.erase.outcome import method_title, shares_html, size
from studio.ui.erase.rows import way_html
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-open]');
  if (button) trigger('open', {edit: button.dataset.open});
});
"""
SHOWN = 20
HEADLINES: dict[Level, tuple[str, str]] = {
    "met": ("good", "As wanted"),
    "needless": ("fair", "Changes nothing"),
    "nearer": ("fair", "Nearer, not as wanted"),
    "missed": ("poor", "Not as wanted"),
}


def erasures(studio: Studio) -> list[EditEntry]:
    """Those of the workspace's edits that erasures and balances made, the newest first."""
    entries = [entry for entry in studio.edits.list() if concepts_in(entry) or shares_in(entry)[0]]
    return sorted(entries, key=lambda entry: entry.changed_at, reverse=True)


def concepts_in(entry: EditEntry) -> tuple[tuple[str, str], ...]:
    """What an edit took out, by its provenance, which may be somebody else's; () of one that is no erasure."""
    try:
        return concepts_of(entry.provenance["erasure"])
    except (KeyError, TypeError):
        return ()


def past_html(studio: Studio, entries: Sequence[EditEntry], open_id: str = "") -> str:
    """A row for each. open_id: id of the edit that is looked at."""
    if not entries:
        return ""
    rows = "".join(_row(entry, _verdict(studio, entry), entry.id == open_id) for entry in entries[:SHOWN])
    heads = "".join(tag("th", head, scope="col") for head in ("What", "Edit", "Method", "Made", "Size", "Measured", ""))
    table = tag("table", tag("thead", tag("tr", heads)) + tag("tbody", rows))
    count = len(entries)
    older_note = "" if count <= SHOWN else tag("p", text(f"And {count - SHOWN} older ones, in the edit stack's menu."))
    scrolled = tag("div", table, class_="past-scroll", tabindex="0", role="group", aria_label="Made before")
    return tag("section", tag("h3", "Made before") + scrolled + older_note, class_="erase-past")


def _verdict(studio: Studio, entry: EditEntry) -> tuple[str, str]:
    """(its light, its headline) of what was measured of an edit; ("", "") where nothing was."""
    outcome = outcome_of(entry)
    return cards.verdict(studio, entry) if outcome is None else HEADLINES[outcome.level]


def _row(entry: EditEntry, verdict: tuple[str, str], is_shown: bool) -> str:
    concept, shares = shares_in(entry)
    ways = (
        shares_html(concept, shares)
        if concept
        else "<br>".join(way_html(*concept_row) for concept_row in concepts_in(entry))
    )
    made_at = entry.changed_at.astimezone().strftime("%d %b, %H:%M").lstrip("0")
    method = method_title(str(entry.provenance.get("method", "")))
    button = tag(
        "button",
        "Shown" if is_shown else "Look at it",
        type="button",
        class_="small",
        data_open=entry.id,
        disabled=is_shown,
        aria_label=f"Look at {entry.name}",
    )
    light, headline = verdict
    card = (
        tag("span", text(headline), class_=f"light {light}") if headline else tag("span", "not measured", class_="none")
    )
    cells = (ways, text(entry.name), text(method), text(made_at), size(entry.nbytes), card, button)
    return tag("tr", "".join(tag("td", cell) for cell in cells))
