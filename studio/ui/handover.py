"""Pictures handed from one tab to another, one or several at once: "Send to Compare"; campaigns handed to the pad.

A tab that takes them says so (`Tab(..., accepts=True)`) and calls `receive` where it is built. What is handed over is
plain data in a gr.State of the page, so a tab may also read it whenever it likes (`page.handover.state`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from studio.core.errors import NotFound
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.ui.desk import Desk
from studio.ui.markup import tag
from studio.ui.values import TEXT, wholes
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.ui.tabs.base import Page

MOST_SENT = 480  # pictures at once
# A function of a campaign's number: shows the pad with that campaign chosen, from wherever it is called.
LABEL = """(campaign) => {
  const chosen = JSON.stringify(String(campaign));
  try { localStorage.setItem('palimpsest-pad-campaign', chosen); } catch { /* chosen there then */ }
  window.dispatchEvent(new CustomEvent('palimpsest-label-campaign', {detail: campaign}));
  for (const id of ['tab-label-button', 'label-collect-button']) document.getElementById(id)?.click();
}"""


@dataclass(frozen=True)
class Sent:
    """One picture.

    id: its number in the history.
    sha256: of its file.
    recipe: what it was made with.
    """

    id: int
    sha256: str
    recipe: Recipe


@dataclass(frozen=True)
class Handover:
    """What was sent.

    to: id of the tab.
    pictures: in the order in which they were made, at least one.
    count: rises with every sending.
    """

    to: str
    pictures: tuple[Sent, ...]
    count: int


def put(sent: Handover) -> Answer:
    """An answer that lays a picture there, and shows the tab that takes it."""
    return {"sent": sent, "bell": str(sent.count), "tabs": gr.Tabs(selected=sent.to)}


def desk() -> Desk:
    """Make one, where the page is laid out; outside of the tabs, whose every child counts as one."""
    return Desk(gr.State(None), gr.HTML("", visible="hidden", elem_id="handover"))


def targets() -> dict[str, str]:
    """id -> title of the tabs that take pictures."""
    from studio.ui.tabs import tabs  # which import this module

    return {tab.id: tab.title for tab in tabs() if tab.accepts}


def send(studio: Studio, to: str, ids: Iterable[int], previous: Handover | None) -> Handover:
    """Make the handover of pictures. previous: the last one. Raises NotFound for the tab and for each picture."""
    if to not in targets():
        raise NotFound(f"There is no tab {shown(to)} that takes pictures.")
    generations = [studio.history.get(id) for id in sorted(set(ids))]
    pictures = tuple(Sent(generation.id, generation.sha256, generation.recipe) for generation in generations)
    return Handover(to, pictures, previous.count + 1 if previous else 1)


# Of a host in which a button sends pictures: see `button_html` and `wire_sending`.
SEND = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-send]');
  if (button) trigger('send', {to: button.dataset.to, ids: button.dataset.send.split(',').map(Number)});
});
"""


def button_html(to: str, ids: Iterable[int]) -> str:
    """A button that sends pictures to a tab, in a host with the script SEND."""
    title, numbers = targets()[to], ",".join(map(str, ids))
    about = f"Put these pictures on the {title} tab, with their recipes"
    return tag("button", f"Send to {title}", type="button", class_="small", data_send=numbers, data_to=to, title=about)


def wire_sending(page: Page, wiring: Wiring, host: str) -> None:
    """Have the buttons of a host send. host: its name among the wiring's parts."""

    def on_send(event: Event) -> Answer:
        ids = event.read("ids", wholes(MOST_SENT))
        return put(send(page.studio, event.read("to", TEXT), ids, event["sent"]))

    wiring.on(wiring.parts[host].send, on_send, ("sent",), ("sent", "bell", "tabs"))


def receive(
    page: Page,
    wiring: Wiring,
    tab: str,
    handler: Callable[[Event, Handover], Answer],
    takes: Sequence[str],
    gives: Sequence[str],
) -> None:
    """Call a handler with each sending to the tab, with what it takes from the page."""

    def on_bell(event: Event) -> Answer:
        sent: Handover | None = event["sent"]
        return handler(event, sent) if sent is not None and sent.to == tab else {}

    wiring.on(page.handover.bell.change, on_bell, ("sent", *takes), gives)
