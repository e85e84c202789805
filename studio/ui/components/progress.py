"""How far a job is, and how long it will still take, in words and as a bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.ui.markup import tag, text


@dataclass(frozen=True)
class Line:
    """What is told of a job that is not over.

    doing: what it is at, in words.
    share: of its work that is done, 0 to 1.
    left: how long it takes yet, in words; "" while that is unknown.
    """

    doing: str
    share: float = 0.0
    left: str = ""


def line(state: str, ahead: int, progress_data: Mapping[str, Any]) -> Line:
    """The line of a job of any kind.

    state: "queued", or another.
    ahead: jobs before it.
    progress_data: data of its newest progress event (studio.engine.events), empty before the first.
    """
    if state == "queued" and ahead:
        return Line(f"Waiting for {ahead} earlier job{'s' * (ahead > 1)}")
    if not progress_data.get("steps"):
        return Line("Starting")
    step, steps = progress_data["step"], progress_data["steps"]
    images, image = progress_data.get("images", 1), progress_data.get("image", 0)
    doing = f"Step {step} of {steps}"
    if images > 1:
        doing = f"Picture {image + 1} of {images} · {doing.lower()}"
    share = progress_data.get("done", (image * steps + step) / (max(images, 1) * steps))
    return Line(doing, share, time_left(progress_data.get("left_s")))


def time_left(left_s: float | None) -> str:
    """An estimate in words; "" where there is none."""
    return "" if left_s is None else f"{seconds(left_s)} left"


def progress(
    doing: str,
    amount: float,
    of: float,
    left: str,
    job: str = "",
    picture_count: int = 0,
    moves: bool = False,
    waits: bool = False,
) -> str:
    """A bar with what is being done under it.

    doing: in words.
    amount: how much of it is done.
    of: how much there is to do.
    left: the time left in words, "" while unknown.
    job: which is followed from here on (studio.ui.watch); "" for none.
    picture_count: how many finished pictures of it are shown where this stands.
    moves: whether the words are those of `line`, which follow the job too.
    waits: whether there are other words once the job has begun, for which to look again.
    """
    bar = tag("span", "", style=f"width:{100 * amount / of:.1f}%")
    words = tag("span", text(doing), class_="step", data_doing=moves) + tag("span", text(left), class_="left")
    watched = {"data_watch": job, "data_drawn": str(picture_count), "data_waits": waits} if job else {}
    return tag(
        "div",
        tag(
            "div",
            bar,
            class_="bar",
            role="progressbar",
            aria_label=doing,
            aria_valuemin=0,
            aria_valuemax=of,
            aria_valuenow=amount,
        )
        + tag("p", words),
        class_="progress",
        **watched,
    )


def seconds(seconds: float) -> str:
    """A time as one says it: "about 12 s"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
