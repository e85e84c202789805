"""Compare: recipes side by side. So far, what the tab will do."""

from __future__ import annotations

from studio.ui import handover
from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do, and the pictures that were sent to it."""
    handover.notice(page, "compare")
    promise(
        "Compare side by side",
        "Put any recipes next to each other and find out which is better, and by how much.",
        (
            ("Look", "Drag a slider between two pictures, blink them, or show where they differ."),
            ("Grid", "Cross prompts, seeds, strengths and methods in one table of pictures."),
            ("Judge", "Vote blind, get the interval, and hand the whole comparison on as one file."),
        ),
        "Until then, every picture in Prompt carries its full recipe: restore one, change one thing, generate again.",
    )


TAB = Tab("Compare", order=50, build=build, accepts=True)
