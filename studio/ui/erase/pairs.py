"""The pictures an erasure is looked at in, each before and after, at one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.recipe import LIVE
from studio.training.erase.preview import Role, Sight
from studio.ui import handover
from studio.ui.components import before_after, results
from studio.ui.components.canvas import JobView
from studio.ui.erase.board import Trial
from studio.ui.live import view_of
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = (
    before_after.SCRIPT
    + handover.SEND
    + """
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-negative]')) trigger('beside');
});
"""
)
HEADS: dict[Role, str] = {"concept": "The concept", "neighbour": "A neighbour", "unrelated": "Something else"}
AIMS: dict[Role, str] = {
    "concept": "should change",
    "neighbour": "should stay",
    "unrelated": "should stay",
}
NEGATIVE = "Negative prompt"


def _send(base: JobView, edited_views: Sequence[JobView]) -> str:
    """A button that compares what was drawn before with what was drawn last."""
    after = next((view for view in reversed(edited_views) if view.pictures), None)
    if after is None or not base.pictures:
        return ""
    return handover.button_html("compare", [picture.id for view in (base, after) for _, picture in view.pictures])


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
    progress = "".join(before_after.progress_html(id, view) for id, view in unfinished.items())
    above = progress + before_after.errors_html(list(jobs.values()))
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
        results.tools_html(
            _said(trial, differences)
            + before_after.HOLD
            + ("" if trial.is_balance else beside)
            + _send(base, edited_views)
        )
        if any(view.pictures for view in edited_views)
        else ""
    )
    figures = [pair.html(difference) for pair, difference in zip(pairs, differences, strict=True)]
    return above + tools + before_after.pairs_html(figures)


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
        self.after = before_after.picture_at(edited_views, place)
        self.base = base
        self.newest = edited_views[-1] if edited_views else JobView()

    def difference(self) -> float | None:
        """Of both, in levels of 255; None while one of them is missing."""
        return before_after.difference_of(self.studio, self.before, self.after)

    def html(self, difference: float | None) -> str:
        """The prompt, both pictures and how far they are apart."""
        role = self.sight.role
        aim = AIMS[role]
        if role == "concept" and self.trial.is_balance:
            *first_words, last_word = (words for words, _ in self.trial.shares)
            aim = f"{', '.join(first_words)} or {last_word}"
        head = tag("p", tag("b", HEADS[role]) + tag("span", text(aim)), class_="pair-role")
        drawing = self.trial.drawing.job if self.trial.drawing else ""
        frames = [
            before_after.frame_html(self.before, "before", self.trial.base, self.base, self.place),
            before_after.frame_html(self.after, self._name(), drawing, self.newest, self.place),
        ]
        if self.negative is not None:
            picture = dict(self.negative.pictures).get(self.place)
            name, job = NEGATIVE.lower(), self.trial.negative
            frames.append(before_after.frame_html(picture, name, job, self.negative, self.place))
        return before_after.pair_html(head, self.sight.prompt, frames, self.before, difference, role)

    def _name(self) -> str:
        """By what the picture was drawn with."""
        if self.after is None or not self.after.recipe.edits:
            return "after"
        ref = self.after.recipe.edits[-1]
        return f"after, {'so far' if ref.edit.startswith(LIVE) else f'strength {ref.strength:g}'}"


def _said(trial: Trial, differences: Sequence[float | None]) -> str:
    """What all pairs together say, where they say something."""
    complete = [difference for difference in differences if difference is not None]
    if len(complete) < len(differences) or trial.drawing or not trial.edit:
        return ""
    strength = trial.drawn.strength if trial.drawn else trial.strength
    if strength == 0 and not any(complete):
        return tag("p", "At strength 0 every picture is the base model's own, bit for bit.", class_="hint same")
    concepts = [difference for sight, difference in zip(trial.sights, complete, strict=True) if sight.role == "concept"]
    if strength and max(concepts) < before_after.NO_EFFECT:
        verb = "balances" if trial.is_balance else "erases"
        return alert(f"No effect: the concept's pictures are as they were. This edit {verb} nothing here.")
    return ""
