"""The pictures an erasure is looked at in, each before and after, at one seed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import NotFound
from studio.core.recipe import LIVE
from studio.services.differences import mean_difference
from studio.training.erase.preview import Role, Sight
from studio.ui import watch
from studio.ui.components import results
from studio.ui.components.canvas import JobView
from studio.ui.components.progress import progress, time_left
from studio.ui.components.results import Cell, Drawn
from studio.ui.erase.board import Trial
from studio.ui.erase.making import view_of
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

# A click opens a picture beside the others. While the button is held, each picture after is as it was before.
SCRIPT = (
    results.script("pick")
    + watch.PART
    + """
element.addEventListener('click', (event) => open(event.target.closest('.frame.done[data-picture]')));
const before = (on) => element.toggleAttribute('data-before', on);
const HOLDS = {
  pointerdown: true, pointerup: false, pointerout: false, pointercancel: false, keydown: true, keyup: false,
};
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-negative]')) trigger('beside');
});
for (const [name, on] of Object.entries(HOLDS)) {
  element.addEventListener(name, (event) => {
    if (event.target.closest('[data-hold]') && [undefined, ' ', 'Enter'].includes(event.key)) before(on);
  });
}
window.addEventListener('blur', () => before(false));
"""
)
HEADS: dict[Role, str] = {"concept": "The concept", "neighbour": "A neighbour", "unrelated": "Something else"}
AIMS: dict[Role, str] = {
    "concept": "should change",
    "neighbour": "should stay",
    "unrelated": "should stay",
}
NO_EFFECT = 1.0  # levels of 255: what no eye sees in a picture
HOLD = "Hold: before"
NEGATIVE = "Negative prompt"


def pairs_html(studio: Studio, trial: Trial) -> str:
    """All of them, with what is being drawn above."""
    base = view_of(studio, trial.base)
    drawings = [drawing for drawing in (trial.drawn, trial.drawing) if drawing]
    edited_views = [view_of(studio, drawing.job) for drawing in drawings]
    negative = view_of(studio, trial.negative) if trial.negative else None
    pairs = [_Pair(studio, trial, k, base, edited_views, negative) for k in range(len(trial.sights))]
    differences = [pair.difference() for pair in pairs]
    jobs = {trial.base: base, **{drawing.job: view for drawing, view in zip(drawings, edited_views, strict=True)}}
    jobs |= {} if negative is None else {trial.negative: negative}
    unfinished = {id: view for id, view in jobs.items() if id and not view.over}
    above = "".join(_progress(id, view) for id, view in unfinished.items()) + _errors(list(jobs.values()))
    hold = tag("button", HOLD, type="button", class_="small", data_hold="1", title="Hold to see each as it was before")
    beside = tag(
        "button",
        NEGATIVE,
        type="button",
        class_="small",
        data_negative="1",
        aria_pressed="true" if trial.negative else "false",
        title="Beside them, the base with the concept as negative prompt: whether an edit is needed",
    )
    tools = (
        results.tools_html(_said(trial, differences) + hold + beside)
        if any(view.pictures for view in edited_views)
        else ""
    )
    figures = "".join(pair.html(difference) for pair, difference in zip(pairs, differences, strict=True))
    return above + tools + tag("div", figures, class_="pairs", role="group", aria_label="Before and after")


class _Pair:
    """One prompt, before and after.

    edited_views: the jobs that draw it with the edit, oldest first.
    negative: the one that draws it with a negative prompt; None where nobody asked.
    """

    def __init__(
        self,
        studio: Studio,
        trial: Trial,
        place: int,
        base: JobView,
        edited_views: Sequence[JobView],
        negative: JobView | None,
    ) -> None:
        self.negative = negative
        self.studio, self.trial, self.place = studio, trial, place
        self.sight: Sight = trial.sights[place]
        self.before = dict(base.pictures).get(place)
        pictures = (dict(view.pictures).get(place) for view in reversed(edited_views))
        self.after = next((picture for picture in pictures if picture), None)
        self.base = base
        self.newest = edited_views[-1] if edited_views else JobView()

    def difference(self) -> float | None:
        """Of both, in levels of 255; None while one of them is missing."""
        if self.before is None or self.after is None:
            return None
        with contextlib.suppress(NotFound):
            paths = [self.studio.history.get(picture.id).image_path for picture in (self.before, self.after)]
            return mean_difference(*paths)
        return None

    def html(self, difference: float | None) -> str:
        """The prompt, both pictures and how far they are apart."""
        role = self.sight.role
        head = tag("p", tag("b", HEADS[role]) + tag("span", AIMS[role]), class_="pair-role")
        prompt = tag("p", text(self.sight.prompt), class_="pair-prompt")
        frames = self._frame(self.before, "before", self.trial.base, self.base)
        drawing = self.trial.drawing.job if self.trial.drawing else ""
        frames += self._frame(self.after, self._name(), drawing, self.newest)
        if self.negative is not None:
            picture = dict(self.negative.pictures).get(self.place)
            frames += self._frame(picture, NEGATIVE.lower(), self.trial.negative, self.negative)
        facts = tag("p", text(_difference(difference)) if difference is not None else "", class_="pair-difference")
        style = f"--before:url('{self.before.src}')" if self.before else None
        return tag(
            "section",
            head + prompt + tag("div", frames, class_="pair three" if self.negative else "pair") + facts,
            class_=role,
            style=style,
        )

    def _name(self) -> str:
        """By what the picture was drawn with."""
        if self.after is None or not self.after.recipe.edits:
            return "after"
        ref = self.after.recipe.edits[-1]
        return f"after, {'so far' if ref.edit.startswith(LIVE) else f'strength {ref.strength:g}'}"

    def _frame(self, picture: Drawn | None, name: str, job: str, view: JobView) -> str:
        size = (picture.recipe.width, picture.recipe.height) if picture else (0, 0)
        at = view.state == "running" and view.image == self.place
        preview = view.preview if at and not view.over else b""
        cell = Cell(
            picture,
            name,
            job="" if view.over else job,
            place=self.place,
            preview=preview or b"",
            busy=at,
            size=size,
            hint="Larger, beside the others",
        )
        figure = results.frame_html(cell) + tag("figcaption", text(name))
        return tag("figure", figure, class_=name.split(",")[0])


def _said(trial: Trial, differences: Sequence[float | None]) -> str:
    """What all pairs together say, where they say something."""
    complete = [difference for difference in differences if difference is not None]
    if len(complete) < len(differences) or trial.drawing or not trial.edit:
        return ""
    strength = trial.drawn.strength if trial.drawn else trial.strength
    if strength == 0 and not any(complete):
        return tag("p", "At strength 0 every picture is the base model's own, bit for bit.", class_="hint same")
    concepts = [difference for sight, difference in zip(trial.sights, complete, strict=True) if sight.role == "concept"]
    if strength and max(concepts) < NO_EFFECT:
        return alert("No effect: the concept's pictures are as they were. This edit erases nothing here.")
    return ""


def _difference(levels: float) -> str:
    if levels == 0:
        return "the same, bit for bit"
    return f"differs by {levels:.1f} of 255" if levels >= 0.05 else "differs by less than 0.1 of 255"


def _progress(id: str, view: JobView) -> str:
    if not view.images:
        return progress("The preview waits for its turn", 0, 1, "", id, waits=True)
    finished, steps = len(view.pictures), max(1, view.steps)
    words = f"Preview: {finished} of {view.images} pictures"
    amount = finished * steps + view.step
    return progress(words, min(amount, view.images * steps), view.images * steps, time_left(view.left_s), id, finished)


def _errors(views: Sequence[JobView]) -> str:
    failed = [view for view in views if view.state == "failed"]
    return alert(failed[-1].error or "A preview could not be drawn.") if failed else ""
