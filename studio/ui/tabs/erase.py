"""Erase: make the model forget a concept, and see what else it forgot. So far, what the tab will do."""

from __future__ import annotations

from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    """What the tab will do."""
    promise(
        "Erase a concept",
        "This tab will take an object, a style or a colour out of the model, and measure what else has changed.",
        (
            ("Name it", "What goes, what takes its place, and which neighbours have to stay."),
            ("Watch it go", "The same seeds before and after, while the edit is being trained."),
            ("Read the report", "What is gone, what is kept and what is worse, measured before you accept the edit."),
        ),
        "on the command line, palimpsest erase takes a concept out at once, as an edit on the stack. An edit that was "
        "trained elsewhere, as a LoRA file, goes there too with Import an edit. An edit's "
        "strength can be changed there; switched off, the base model draws the same picture as before, bit for bit.",
    )


TAB = Tab("Erase", order=20, build=build)
