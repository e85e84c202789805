"""Prompts that are drawn with an edit while it learns: how, when again, and how far a drawing is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import NotFound
from studio.core.params import Params
from studio.core.recipe import EditRef, Recipe
from studio.ui.components import canvas
from studio.ui.components.canvas import JobView
from studio.ui.components.seeds import MAX_SEED

if TYPE_CHECKING:
    from studio.services.studio import Studio

PREVIEWS = 8  # of an edit while it is trained
STEPS = {True: 12, False: 20}  # of a picture, by whether the model is of Stencil's world
# For a component that shows [data-next], the share of its [data-job] from which on the edit is to be looked at again.
SCRIPT = """
let told = '';
window.addEventListener('palimpsest-watch', ({detail}) => {
  const part = element.querySelector('[data-next]'), facts = part && detail.jobs[part.dataset.job];
  const due = part && part.dataset.job + part.dataset.next;
  if (!facts || facts.over || facts.share < Number(part.dataset.next) || told === due) return;
  told = due;
  trigger('look');
});
"""


class Drawing(Params):
    """Prompts drawn with an edit.

    job: that draws them, in their order.
    edit: as recipes name it; while it is trained, "live:" and its job.
    strength: of the edit.
    share: of the training that was done.
    """

    job: str
    edit: str
    strength: float = 1.0
    share: float = 1.0


def next_share(share: float | None) -> float:
    """How much of a training has to be done before its edit is looked at again. share: at the last look, if any."""
    return 1 / PREVIEWS if share is None else (int(share * PREVIEWS) + 1) / PREVIEWS


def recipes(
    studio: Studio, model: str, prompts: Sequence[str], seed: int, refs: Sequence[EditRef] = ()
) -> list[Recipe]:
    """A recipe of each prompt, with the seeds from this one on. Each is drawn alone, so that a strength of 0 gives the
    base's bits. Raises NotFound, AssetError for a model that is not there.
    """
    card, of_world = studio.sources.card(model), studio.sources.is_of_world(model)
    side = card.default_size_px
    shared = Recipe(model=model, width=side, height=side, steps=STEPS[of_world], edits=tuple(refs), batching="isolated")
    shared = shared if of_world else shared.model_copy(update={"sampler": card.sampler})
    return [
        shared.model_copy(update={"prompt": prompt, "seed": (seed + k) % (MAX_SEED + 1)})
        for k, prompt in enumerate(prompts)
    ]


def view_of(studio: Studio, job: str) -> JobView:
    """A job that draws; of one that is unknown, that it is over."""
    try:
        return canvas.view(studio.jobs.events(job))
    except NotFound:
        return JobView("interrupted")
