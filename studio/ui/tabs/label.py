"""Label: collect preferences and align the model with them. So far, what the tab will do."""

from __future__ import annotations

from studio.ui import handover
from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do, and the pictures that were sent to it."""
    handover.notice(page, "label")
    promise(
        "Label preferences",
        "Say which of two pictures is better, many times and quickly, and have the model follow your taste.",
        (
            ("Collect", "Judge blind pairs with one key per answer; undo, skip and go on where you left."),
            ("Align", "Train on your labels, with held-out labels to tell learning from memorising."),
            ("Test", "Vote blind between the aligned model and the base, and read the result with its interval."),
        ),
        "Every label will be written to disk before it is acknowledged. Pictures you make in Prompt today are kept in "
        "the workspace and can be labelled then.",
    )


TAB = Tab("Label", order=30, build=build, accepts=True)
