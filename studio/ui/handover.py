"""Pictures handed from one tab to another, one or several at once: "Send to Compare".

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
from studio.ui.markup import facts, image, tag, text
from studio.ui.methods import declarations
from studio.ui.pictures import address
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.ui.tabs.base import Page


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


def notice(page: Page, tab: str) -> None:
    """For a tab that is not built: show what was sent to it."""
    parts = {**page.parts, "received": gr.HTML("", apply_default_css=False, elem_id=f"{tab}-received")}
    receive(page, Wiring(parts), tab, lambda event, sent: {"received": notice_html(sent)}, (), ("received",))


def notice_html(sent: Handover) -> str:
    """The pictures that wait for a tab, of several the first in full."""
    first, count = sent.pictures[0], len(sent.pictures)
    recipe = first.recipe
    prompt = recipe.prompt or "without a prompt"
    method = declarations().guidance.get(recipe.guidance.method)
    rows = [
        ("Prompt", prompt),
        ("Seed", recipe.seed),
        ("Steps", recipe.steps),
        ("Guidance", method.label if method else recipe.guidance.method),
    ]
    picture = image(address(first.id, first.sha256), prompt, width=96, height=96)
    sentence = f"Picture {first.id} was sent here with its recipe."
    if count > 1:
        sentence = f"{count} pictures were sent here with their recipes, the first of them picture {first.id}."
    message = tag("p", text(sentence), role="status")
    return tag("section", picture + tag("div", message + facts(rows)), class_="received")
