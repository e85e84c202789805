"""The label under a picture, as in a museum: what it shows, how it was made, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.core.recipe import Recipe
from studio.ui.markup import facts, tag, text
from studio.ui.pictures import address, file_name

if TYPE_CHECKING:
    from studio.services.generate import Generation

CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-restore]');
  if (button) trigger('restore', {id: Number(button.dataset.restore)});
});
"""


def prompt_of(recipe: Recipe) -> str:
    return recipe.prompt or "without a prompt"


def caption_html(picture: Generation) -> str:
    """The label of one picture."""
    recipe = picture.recipe
    download = tag(
        "a",
        "Download",
        href=address(picture.id, picture.sha256),
        download=file_name(picture.id, recipe.seed),
        class_="action",
        title="The original PNG file, with its recipe inside",
    )
    restore = tag(
        "button",
        "Restore settings",
        type="button",
        class_="action",
        data_restore=str(picture.id),
        title="Put everything this picture was made with back into the form",
    )
    more = tag("details", tag("summary", "Whole recipe") + facts(recipe_facts(picture)), class_="recipe")
    return tag(
        "div",
        tag("div", tag("p", text(prompt_of(recipe)), class_="said") + tag("p", text(summary(recipe)), class_="made"))
        + tag("div", restore + download, class_="actions")
        + more,
        class_="caption",
    )


def many_html(count: int, recipe: Recipe) -> str:
    """The label of several pictures of one job."""
    told = f"{count} pictures from seed {recipe.seed} on. Choose one to see its recipe."
    inner = tag("p", text(prompt_of(recipe)), class_="said") + tag("p", text(told), class_="made")
    return tag("div", tag("div", inner), class_="caption")


def summary(recipe: Recipe) -> str:
    """The line that tells two pictures of one prompt apart."""
    scale = recipe.guidance.params.get("guidance_scale")
    guidance = recipe.guidance.method.upper() + ("" if scale is None else f" {scale:g}")
    return f"seed {recipe.seed} · {recipe.steps} steps · {guidance} · {recipe.width} × {recipe.height}"


def recipe_facts(picture: Generation) -> list[tuple[str, object]]:
    """Everything the picture was made with, by name."""
    recipe = picture.recipe
    rows: list[tuple[str, object]] = [
        ("Number", picture.id),
        ("Made", f"{picture.created_at.astimezone():%Y-%m-%d %H:%M:%S}"),
    ]
    rows += [("Model", recipe.model), ("Negative prompt", recipe.negative_prompt or "none"), ("Seed", recipe.seed)]
    rows += [("Size", f"{recipe.width} × {recipe.height}"), ("Steps", recipe.steps), ("Sampler", recipe.sampler)]
    rows += [("Guidance", recipe.guidance.method)]
    rows += [(name.replace("_", " ").capitalize(), value) for name, value in recipe.guidance.params.items()]
    rows += [("Edits", ", ".join(f"{e.edit} × {e.strength:g}" for e in recipe.edits) or "none")]
    return [*rows, ("Recipe", recipe.digest()[:16])]
