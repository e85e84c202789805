"""How far a job is, and how long it will still take, in words and as a bar."""

from __future__ import annotations

from studio.ui.markup import tag, text


def progress(told: str, done: float, of: float, left: str) -> str:
    """A bar with what is being done under it. left: the time left in words, "" while unknown."""
    bar = tag("span", "", style=f"width:{100 * done / of:.1f}%")
    return tag(
        "div",
        tag("div", bar, class_="bar", role="progressbar", aria_label=told, aria_valuemin=0, aria_valuemax=of,
            aria_valuenow=done)
        + tag("p", tag("span", text(told), class_="step") + tag("span", text(left), class_="left")),
        class_="progress",
    )  # fmt: skip


def seconds(seconds: float) -> str:
    """A time as one says it: "about 12 s"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
