"""What a tab is, and what it is given to build itself from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from starlette.routing import Route

    from studio.services.studio import Studio
    from studio.ui.desk import Desk
    from studio.ui.sidebar import Sidebar


@dataclass(frozen=True)
class Page:
    """The page around a tab.

    studio: the services.
    demo: for what happens on load.
    sidebar: its parts that others touch.
    tabs: to choose another.
    tab: the one that is being built, for what happens when it is chosen.
    handover: what one tab sent to another.
    opened: to be called when a browser has painted the page.
    memories: by tab, what the browser keeps for those that ask for it.
    drafts: likewise, of what is typed there.
    """

    studio: Studio
    demo: gr.Blocks
    sidebar: Sidebar
    tabs: gr.Tabs
    tab: gr.Tab
    handover: Desk
    opened: Callable[[], None]
    memories: Mapping[str, gr.BrowserState]
    drafts: Mapping[str, gr.BrowserState]

    @property
    def parts(self) -> dict[str, Any]:
        """The components around the tabs, by the names that a tab's wiring knows them by."""
        return {**self.sidebar.edits.parts, **self.handover.parts, "tabs": self.tabs}

    def remembered(self, tab: str, memory: str, draft: str) -> dict[str, Any]:
        """What the browser keeps for a tab, under these names. tab: the id of one that `remembers`."""
        return {memory: self.memories[tab], draft: self.drafts[tab]}


@dataclass(frozen=True)
class Tab:
    """One tab: all that the page around it needs to know.

    title: on its button.
    order: from left to right.
    build: lays out and wires, inside the tab.
    accepts: whether pictures can be sent to it; its `build` then calls `handover.receive`.
    remembers: whether the browser keeps something for it.
    routes: addresses of its own, over a studio.
    style: its style sheet, as CSS.
    primary, stop: selectors of the buttons that Ctrl+Enter and Ctrl+. press while it is shown, "" for none.
    keys: further keys while it is shown (as KeyboardEvent.key has them) -> selector of what is pressed or, of a field,
        entered.
    shortcuts: (keys as they are written on them, what they do) of those that the list behind `?` has under its title.
    drop: id of the gr.File that takes a file which is dropped anywhere on the tab, "" for none.
    wide: whether it has the page's whole width: the sidebar is folded while it is shown.
    """

    title: str
    order: int
    build: Callable[[Page], None]
    accepts: bool = False
    remembers: bool = False
    routes: Callable[[Studio], Sequence[Route]] = lambda studio: ()
    style: str = ""
    primary: str = ""
    stop: str = ""
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    shortcuts: Sequence[tuple[Sequence[str], str]] = ()
    drop: str = ""
    wide: bool = False

    @property
    def id(self) -> str:
        """What the page, its address and its script call the tab by."""
        return self.title.lower()

    @property
    def facts(self) -> dict[str, Any]:
        """What the browser's script is told of it."""
        return {
            "id": self.id,
            "primary": self.primary,
            "stop": self.stop,
            "keys": dict(self.keys),
            "drop": self.drop,
            "wide": self.wide,
        }
