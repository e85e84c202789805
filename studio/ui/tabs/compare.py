"""Compare: recipes side by side. So far, what the tab will do."""

from __future__ import annotations

from studio.ui import handover
from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do, and the pictures that were sent to it."""
    handover.notice(page, "compare")
    promise(
        "Compare pictures side by side",
        "This tab will put any recipes next to each other and measure which is better, and by how much.",
        (
            ("Look", "Two pictures under one slider, in turns, or their difference."),
            ("Cross", "Prompts, seeds, strengths and methods in one table of pictures."),
            ("Judge", "A blind vote with a confidence interval, and a report in one file to share."),
        ),
        "the Guidance tab draws up to eight methods on the same seeds, and the X/Y/Z grid of the Prompt tab crosses "
        "up to three settings. In both, one picture can be pinned, laid over the others, or subtracted from them.",
    )


TAB = Tab("Compare", order=50, build=build, accepts=True)
