"""The picture, large: what a job has drawn so far, or one picture of the history.

A job is told by its events, and the engine keeps only the newest preview and the newest progress of each job, so the
whole state can be read anew at every poll: nothing is lost by a reload, and nothing is kept per session.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.recipe import Recipe
from studio.ui.components import results
from studio.ui.components.progress import line, progress
from studio.ui.components.results import Cell, Drawn, Results
from studio.ui.markup import image, png_size, png_uri, tag, text
from studio.ui.pictures import address
from studio.world.examples import EXAMPLES, Example

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.history import Generation

SAMPLES = Path(__file__).resolve().parents[3] / "assets" / "samples"
# A sample is an example with its picture: its click is that of the example's chip beside the prompt.
SCRIPT = (
    results.script("pick")
    + """
element.addEventListener('click', (event) => {
  const all = event.target.closest('[data-all]');
  if (all) trigger('all', {ids: all.dataset.all.split(',').map(Number)});
  const sample = event.target.closest('[data-sample]');
  if (sample) document.querySelector(`#chips [data-fill="${CSS.escape(sample.dataset.sample)}"]`)?.click();
});
"""
)


@dataclass(frozen=True)
class JobView:
    """A job as the page shows it.

    state: "queued", "running", or the kind of its last event.
    images: how many pictures it makes, 0 while unknown.
    pictures: (place in the job, finished picture) of each.
    binned: how many finished ones were discarded.
    image: place of the picture it is at.
    step: of that picture.
    steps: of each picture, 0 while unknown.
    left_s: estimate in seconds, None if unknown.
    preview: of the picture it is at, as PNG; b"" for none.
    ahead: jobs before it.
    error: a sentence, "" if there is none.
    """

    state: str = "queued"
    images: int = 0
    pictures: tuple[tuple[int, Drawn], ...] = ()
    binned: int = 0
    image: int = 0
    step: int = 0
    steps: int = 0
    left_s: float | None = None
    preview: bytes = b""
    ahead: int = 0
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state not in ("queued", "running")


def view(events: Sequence[Event]) -> JobView:
    """Fold a job's events, from the first, into what is to be shown."""
    fields: dict[str, Any] = {"state": "queued"}
    pictures: dict[int, Drawn] = {}
    for event in events:
        data = event.data
        if event.kind == "queued":
            fields["ahead"] = data.get("ahead", 0)
        elif event.kind == "started":
            fields |= {"state": "running", "images": data.get("images", 0)}
        elif event.kind == "progress":
            fields |= {
                "state": "running",
                "image": data["image"],
                "step": data["step"],
                "steps": data["steps"],
                "images": data.get("images", 0),
                "left_s": data.get("left_s"),
            }
        elif event.kind == "preview":
            fields |= {"preview": data["png"], "preview_of": data["image"]}
        elif event.kind == "image":
            recipe = Recipe.load(data["recipe"])
            pictures[data["image"]] = Drawn(data["generation"], address(data["generation"], data["sha256"]), recipe)
        elif event.final:
            fields |= {"state": event.kind, "error": data.get("error", "")}
            if event.kind == "cancelled" and not data.get("keep", True):
                fields["binned"] = len(pictures)
                pictures.clear()
    # The newest preview may still be of the picture before.
    if fields.pop("preview_of", None) in pictures:
        fields["preview"] = b""
    return JobView(pictures=tuple(sorted(pictures.items())), **fields)


def job_html(job: JobView, job_id: str = "", size: tuple[int, int] = (0, 0)) -> str:
    """The pictures of a job: finished ones, the one being drawn, and empty sheets for those to come.

    job_id: of which the places that are empty yet are filled while it is drawn (studio.ui.watch). size: (width, height)
    of its pictures in pixels, (0, 0) where that is not known: then the preview says.
    """
    finished = dict(job.pictures)
    if job.over:
        cells = [_cell(picture) for picture in finished.values()]
    else:
        cells = [
            _cell(finished[place]) if place in finished else _place(job, job_id, place, size)
            for place in range(max(job.images, 1))
        ]
    if not cells:
        reason = job.error or "It was stopped before the first one was done."
        return empty_html("This job made no picture.", reason)
    sheet = results.sheet_html(Results((tuple(cells),)), alone=job.over and len(cells) == 1)
    return sheet + results.tools_html() if finished else sheet


def picture_html(picture: Generation, siblings: Sequence[Drawn] = ()) -> str:
    """One picture of the history. siblings: all that its job made, itself among them, in their order."""
    cell_picture = Drawn(picture.id, address(picture.id, picture.sha256), picture.recipe)
    sheet = results.sheet_html(Results(((_cell(cell_picture),),)), alone=True)
    return sheet + results.tools_html(_walk(picture, siblings))


def pictures_html(pictures: Sequence[Generation]) -> str:
    """Several pictures of the history, each to be picked."""
    cells = tuple(_cell(Drawn(picture.id, address(picture.id, picture.sha256), picture.recipe)) for picture in pictures)
    return results.sheet_html(Results((cells,)), alone=len(cells) == 1) + results.tools_html()


def _walk(picture: Generation, siblings: Sequence[Drawn]) -> str:
    """From one picture of a batch to the next, and back to all of them; over the whole window too (results.js)."""
    ids = [sibling.id for sibling in siblings]
    if len(ids) < 2 or picture.id not in ids:
        return ""
    at, count = ids.index(picture.id), len(ids)
    previous, following = ids[at - 1], ids[(at + 1) % count]
    inner = (
        _step("‹", "Previous picture of its batch", data_pick=str(previous), data_walk="-1")
        + tag("span", f"{at + 1} of {count}")
        + _step("›", "Next picture of its batch", data_pick=str(following), data_walk="1")
        + _step("All", "All pictures of its batch", data_all=",".join(map(str, ids)))
    )
    return tag(
        "div", inner, class_="walk", data_batch=json.dumps([results.viewed(_cell(sibling)) for sibling in siblings])
    )


def _step(label: str, title: str, **data: str) -> str:
    return tag("button", label, type="button", class_="small", title=title, aria_label=title, **data)


def unseen_html() -> str:
    """The sheet until the page knows what to show: without words, which would flash by."""
    return _sheet(tag("div", "", class_="frame blank ruled"))


def welcome_html() -> str:
    """The sheet before anything was drawn: the examples with their pictures, each a button that takes its prompt."""
    samples = [_sample(example) for example in EXAMPLES if (SAMPLES / example.file_name).is_file()]
    if not samples:
        return empty_html("A blank page", "Write a prompt, or take one of the examples, and generate.")
    head = tag("p", "Drawn by Stencil", class_="empty-title")
    hint = tag("p", "Generate draws what is written. Or take one of these, or write your own.", class_="empty-told")
    return tag("div", tag("header", head + hint) + "".join(samples), class_="sheet samples", style="--columns:3")


def _sample(example: Example) -> str:
    face = image(png_uri((SAMPLES / example.file_name).read_bytes()), example.prompt) + tag("span", text(example.name))
    tip = f"Take this prompt: {example.prompt}"
    return tag("button", face, type="button", class_="frame sample", data_sample=example.prompt, title=tip)


def empty_html(title: str, hint: str) -> str:
    """The sheet before there is anything on it."""
    inner = tag("p", text(title), class_="empty-title") + tag("p", text(hint), class_="empty-told")
    return _sheet(tag("div", tag("div", inner), class_="blank ruled"))


def progress_html(job: JobView, job_id: str = "") -> str:
    """The line under the picture: what is being done, how far, how long yet. "" when nothing is.

    job_id: which it follows from here on (studio.ui.watch).
    """
    if job.over:
        return ""
    progress_data = {
        "image": job.image,
        "images": job.images,
        "step": job.step,
        "steps": job.steps,
        "left_s": job.left_s,
    }
    standing = line(job.state, job.ahead, progress_data)
    steps_done, of = job.image * job.steps + job.step, max(job.images, 1) * job.steps
    return progress(
        standing.doing, steps_done if of else 0, of or 1, standing.left, job_id, len(job.pictures), moves=True
    )


def _sheet(inner: str) -> str:
    """A sheet with something else on it than pictures."""
    return tag("div", inner, class_="sheet", style="--columns:1")


def _cell(picture: Drawn) -> Cell:
    return Cell(picture, f"seed {picture.recipe.seed}", hint=f"Show alone (seed {picture.recipe.seed})")


def _place(job: JobView, job_id: str, place: int, size: tuple[int, int]) -> Cell:
    """Where the picture at a place of a job will be."""
    at = job.state == "running" and place == job.image
    preview = job.preview if at else b""
    return Cell(job=job_id, place=place, preview=preview, busy=at, size=size if all(size) else png_size(preview))
