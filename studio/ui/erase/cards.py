"""The report card of the edit that is looked at: begun with its time said first, shown when it is done, and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from studio.core.errors import StudioError
from studio.services.cards.page import CARD_CSS
from studio.training.erase.card.budget import BUDGETS
from studio.ui import watch
from studio.ui.components import fields
from studio.ui.components.progress import progress, seconds, time_left
from studio.ui.erase.board import Trial
from studio.ui.errors import sentence
from studio.ui.exports import answered
from studio.ui.live import view_of
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio

KINDS = ("html",)
STYLE = CARD_CSS.read_text(encoding="utf-8")
# The card is hundreds of kilobytes of pictures: the browser fetches it once, and not with every look.
SCRIPT = (
    f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, value: value}});
{fields.SCRIPT}
"""
    + """
let shown = null;
async function fetched() {
  const place = element.querySelector('[data-card]');
  if (!place || place.childElementCount) return;
  const address = place.dataset.card;
  if (!shown || shown.address !== address) {
    const answer = await fetch(address).catch(() => null);
    shown = {address: address, html: answer && answer.ok ? await answer.text() : ''};
  }
  if (!place.isConnected || place.dataset.card !== address) return;
  place.innerHTML = shown.html;
  fold(place.querySelector('.report-card'));
}
// The verdict and the pictures are in view; all the figures are a click away.
function fold(card) {
  if (!card) return;
  const more = document.createElement('details'), summary = document.createElement('summary');
  more.dataset.keep = 'card-figures';
  summary.textContent = 'All figures, with their intervals';
  more.append(summary, ...[...card.querySelectorAll(':scope > section')].slice(2));
  card.append(more);
}
watch('value', () => setTimeout(fetched));
fetched();
"""
    + watch.PART
)
TITLES = {"preview": "A first look", "standard": "Standard", "full": "Full"}
ABOUT = (
    "Pictures of the concept, of its neighbours and of everything else are drawn and read, beside the base and beside "
    "what takes the concept's place: what is gone, what has stayed, and what comes back, each with its interval."
)


def card_html(studio: Studio, trial: Trial, entry: EditEntry | None) -> str:
    """The card, or how to have it drawn; "" where there is no edit to measure, and of a balance, which has shares."""
    if entry is None or trial.is_balance:
        return ""
    try:
        card = studio.cards.card(entry.id)
        offers = _offers(studio, entry)
    except StudioError as error:
        return tag("section", tag("h3", "Report card") + alert(sentence(error)), class_="erase-card")
    under_way = _under_way(studio, trial)
    head = tag("h3", "Report card")
    if card is None:
        return tag("section", head + (under_way or tag("p", ABOUT, class_="hint") + offers), class_="erase-card")
    address = f"/cards/{quote(entry.id, safe='')}"
    save = tag("a", "Save as a page", href=f"{address}.html", download=f"{entry.id}-card.html", class_="action")
    link = tag("a", "Open as a page", href=f"{address}.html", target="_blank", rel="noopener", class_="action")
    place = tag("div", "", data_card=f"{address}/fragment?v={quote(str(card['job']))}-{card['budget']}")
    again = under_way or tag("details", tag("summary", "Measure it with more pictures") + offers, class_="more")
    top = tag("div", head + tag("div", link + save, class_="actions"), class_="card-head")
    return tag("section", top + place + again, class_="erase-card")


def verdict(studio: Studio, entry: EditEntry) -> tuple[str, str]:
    """(its light, its headline) of an edit's card; ("", "") where it has none."""
    try:
        card = studio.cards.card(entry.id)
    except StudioError:  # told where the edit is looked at
        return "", ""
    return (card["verdict"]["light"] or "", card["verdict"]["headline"]) if card else ("", "")


def routes(studio: Studio) -> list[Route]:
    """The addresses of cards, as a page of their own and as a part of one."""

    async def page(request: Request) -> Response:
        edit = str(request.path_params["edit"])
        return await answered(lambda: studio.cards.page(edit).encode(), "html", KINDS)

    async def fragment(request: Request) -> Response:
        edit = str(request.path_params["edit"])
        return await answered(lambda: studio.cards.fragment(edit).encode(), "html", KINDS)

    return [Route("/cards/{edit}.html", page), Route("/cards/{edit}/fragment", fragment)]


def _offers(studio: Studio, entry: EditEntry) -> str:
    """A button for each budget, with what it takes."""
    buttons = ""
    for name, budget in BUDGETS.items():
        if not budget.is_offered:
            continue
        outlook = studio.cards.outlook(entry.id, name)
        time = "" if outlook["seconds"] is None else f", {seconds(outlook['seconds'])}"
        label = f"{TITLES.get(name, name)}: {outlook['pictures']:,} pictures{time}"
        buttons += tag(
            "button",
            text(label),
            type="button",
            class_="action",
            data_op="measure",
            data_value=name,
            title=budget.about,
        )
    return tag("div", buttons, class_="actions")


def _under_way(studio: Studio, trial: Trial) -> str:
    """How far the card is that is being drawn; how it ended where that was early; "" else."""
    if not trial.card:
        return ""
    view = view_of(studio, trial.card)
    if view.over:
        return alert(view.error) if view.state == "failed" else ""
    standing = studio.jobs.standing(trial.card)
    share, left = (standing.progress or 0.0, time_left(standing.left_s)) if standing else (0.0, "")
    return progress(
        "Draws pictures and reads them. You can go on meanwhile.", share, 1, left, trial.card, len(view.pictures)
    )
