"""Erase: make the model forget a concept, and see what else it forgot. So far, what the tab will do."""

from __future__ import annotations

from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do."""
    promise(
        "Erase a concept",
        "Take an object, a style or a colour out of the model while the rest of what it knows stays as it was.",
        (
            ("Name it", "Say what goes, what may stand in its place, and which neighbours must be kept."),
            ("Watch it go", "Follow the same seeds before and after, while the edit is being trained."),
            ("Read the card", "Every edit comes with its measured consequences before you accept it."),
        ),
        "An accepted edit will appear in the edit stack at the left, where its strength can be changed and the base "
        "restored bit for bit. Suppressed is not proven removed, and the tab will say so.",
    )


TAB = Tab("Erase", order=20, build=build)
