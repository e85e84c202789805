"""Label: collect preferences and align the model with them. So far, what the tab will do."""

from __future__ import annotations

from studio.ui import handover
from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do, and the pictures that were sent to it."""
    handover.notice(page, "label")
    promise(
        "Label preferences",
        "This tab will ask which of two pictures is better, and train the model on your answers.",
        (
            (
                "Collect",
                "Blind pairs, one key for each answer, with undo; every answer is on disk before the next pair.",
            ),
            ("Align", "Training on your labels, some of them held out to tell learning from memorising."),
            ("Test", "A blind vote between the trained model and the base, with a confidence interval."),
        ),
        "every picture is kept in the history with its recipe, and those you prefer can be starred (F) and filtered by "
        "their star.",
    )


TAB = Tab("Label", order=30, build=build, accepts=True)
