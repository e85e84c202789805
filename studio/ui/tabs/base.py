"""What a tab is, and what it is given to build itself from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.ui.handover import Desk
    from studio.ui.sidebar import Sidebar


@dataclass(frozen=True)
class Page:
    """The page around a tab.

    studio: the services. demo: for what happens on load. sidebar: its parts. tabs: to choose another. handover: what
    one tab sent to another. opened: to be called when a browser has painted the page. memories: by tab,
    what the browser keeps for those that ask for it. drafts: likewise, of what is typed there.
    """

    studio: Studio
    demo: gr.Blocks
    sidebar: Sidebar
    tabs: gr.Tabs
    handover: Desk
    opened: Callable[[], None]
    memories: Mapping[str, gr.BrowserState]
    drafts: Mapping[str, gr.BrowserState]


@dataclass(frozen=True)
class Tab:
    """One tab. title: on its button. order: from left to right. build: lays out and wires, inside the tab.

    accepts: whether pictures can be sent to it; its `build` then calls `handover.receive`. remembers: whether
    the browser keeps something for it.
    """

    title: str
    order: int
    build: Callable[[Page], None]
    accepts: bool = False
    remembers: bool = False

    @property
    def id(self) -> str:
        return self.title.lower()


def promise(title: str, purpose: str, steps: tuple[tuple[str, str], ...], meanwhile: str) -> gr.HTML:
    """The page of a tab that is not built: what it is for, what one will do there, and what can be done now.

    steps: (a few words, a sentence).
    """
    items = "".join(tag("li", tag("h3", text(name)) + tag("p", text(told))) for name, told in steps)
    return gr.HTML(
        tag(
            "section",
            tag("p", "Not built yet", class_="stamp")
            + tag("h2", text(title))
            + tag("p", text(purpose), class_="purpose")
            + tag("ol", items)
            + tag("p", text(meanwhile), class_="meanwhile"),
            class_="promise",
        ),
        apply_default_css=False,
    )
