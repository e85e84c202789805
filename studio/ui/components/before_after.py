"""Prompts before and after, at one seed: both pictures of each, how far they are apart, and a button that flips them.

Its host's script is SCRIPT. While the button is held, each picture after is as it was before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import NotFound
from studio.services.differences import mean_difference
from studio.ui import watch
from studio.ui.components import results
from studio.ui.components.canvas import JobView
from studio.ui.components.progress import progress, time_left
from studio.ui.components.results import Cell, Drawn
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = (
    results.script("pick")
    + watch.PART
    + """
element.addEventListener('click', (event) => open(event.target.closest('.frame.done[data-picture]')));
const before = (on) => element.toggleAttribute('data-before', on);
const HOLDS = {
  pointerdown: true, pointerup: false, pointerout: false, pointercancel: false, keydown: true, keyup: false,
};
for (const [name, on] of Object.entries(HOLDS)) {
  element.addEventListener(name, (event) => {
    if (event.target.closest('[data-hold]') && [undefined, ' ', 'Enter'].includes(event.key)) before(on);
  });
}
window.addEventListener('blur', () => before(false));
"""
)
NO_EFFECT = 1.0  # levels of 255: what no eye sees in a picture
HOLD = tag(
    "button",
    "Hold: before",
    type="button",
    class_="small",
    data_hold="1",
    title="Hold to see each as it was before",
)


def picture_at(views: Sequence[JobView], place: int) -> Drawn | None:
    """The newest picture at a place of jobs that draw the same prompts. views: oldest first."""
    pictures = (dict(view.pictures).get(place) for view in reversed(views))
    return next((picture for picture in pictures if picture), None)


def difference_of(studio: Studio, base: Drawn | None, edited: Drawn | None) -> float | None:
    """Of two pictures, in levels of 255; None while one of them is missing."""
    if base is None or edited is None:
        return None
    with contextlib.suppress(NotFound):
        paths = [studio.history.get(picture.id).image_path for picture in (base, edited)]
        return mean_difference(*paths)
    return None


def frame_html(picture: Drawn | None, name: str, job: str, view: JobView, place: int) -> str:
    """One picture with its name beneath, or the place of it. job: that draws it, as `view` has it."""
    size = (picture.recipe.width, picture.recipe.height) if picture else (0, 0)
    at = view.state == "running" and view.image == place
    preview = view.preview if at and not view.over else b""
    cell = Cell(
        picture,
        name,
        job="" if view.over else job,
        place=place,
        preview=preview or b"",
        busy=at,
        size=size,
        hint="Larger, beside the others",
    )
    return tag("figure", results.frame_html(cell) + tag("figcaption", text(name)), class_=name.split(",")[0])


def pair_html(
    head: str, prompt: str, frames: Sequence[str], base: Drawn | None, difference: float | None, class_: str
) -> str:
    """One prompt. head: HTML above it. frames: of `frame_html`. base: what is shown while the button is held."""
    facts = tag("p", text(difference_words(difference)) if difference is not None else "", class_="pair-difference")
    words = tag("p", text(prompt), class_="pair-prompt")
    pictures = tag("div", "".join(frames), class_="pair three" if len(frames) > 2 else "pair")
    style = f"--before:url('{base.src}')" if base else None
    return tag("section", head + words + pictures + facts, class_=class_, style=style)


def pairs_html(pairs: Sequence[str]) -> str:
    """All of them."""
    return tag("div", "".join(pairs), class_="pairs", role="group", aria_label="Before and after")


def difference_words(levels: float) -> str:
    """How far two pictures are apart."""
    if levels == 0:
        return "the same, bit for bit"
    return f"differs by {levels:.1f} of 255" if levels >= 0.05 else "differs by less than 0.1 of 255"


def progress_html(job: str, view: JobView) -> str:
    """How far a job is that draws some of the pictures."""
    if not view.images:
        return progress("The preview waits for its turn", 0, 1, "", job, waits=True)
    finished, steps = len(view.pictures), max(1, view.steps)
    words = f"Preview: {finished} of {view.images} pictures"
    amount = finished * steps + view.step
    return progress(words, min(amount, view.images * steps), view.images * steps, time_left(view.left_s), job, finished)


def errors_html(views: Sequence[JobView]) -> str:
    """Why a picture could not be drawn; "" where all could."""
    failed = [view for view in views if view.state == "failed"]
    return alert(failed[-1].error or "A preview could not be drawn.") if failed else ""
