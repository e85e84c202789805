"""The label under a picture, as in a museum: what it shows, how it was made, and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from studio.core.recipe import EditRef, Negative, Recipe
from studio.ui.handover import targets
from studio.ui.markup import facts, tag, text
from studio.ui.methods import sampler_label
from studio.ui.pictures import address, file_name

if TYPE_CHECKING:
    from studio.services.history import Generation

CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (!button) return;
  const id = Number(button.dataset.id);
  const what = button.dataset.do;
  if (what === 'restore') trigger('restore', {id});
  if (what === 'star') trigger('star', {id, on: button.getAttribute('aria-pressed') !== 'true'});
  if (what === 'delete') trigger('delete', {id});
  if (what === 'undelete') trigger('undelete', {ids: button.dataset.id.split(',').map(Number)});
  if (what === 'send') trigger('send', {id, to: button.dataset.to});
  const menu = button.closest('details.menu');
  if (menu) menu.open = false;
});
document.addEventListener('click', (event) => {
  for (const menu of element.querySelectorAll('details.menu[open]')) menu.open = menu.contains(event.target);
});
"""

_STRENGTH = "strength of "  # before the name of an edit


def prompt_of(recipe: Recipe) -> str:
    """The prompt in words, also where there is none."""
    return recipe.prompt or "without a prompt"


def caption_html(picture: Generation) -> str:
    """The label of one picture."""
    recipe = picture.recipe
    recipe_list = tag(
        "details", tag("summary", "Whole recipe") + facts(recipe_facts(picture)), class_="recipe", data_keep="recipe"
    )
    return tag(
        "div",
        tag("div", tag("p", text(prompt_of(recipe)), class_="said") + tag("p", text(summary(recipe)), class_="made"))
        + tag("div", _actions(picture), class_="actions")
        + recipe_list,
        class_="caption",
    )


def deleted_html(ids: Sequence[int]) -> str:
    """The label of pictures that were just deleted, with the way back."""
    message = f"Picture {ids[0]} is in the bin." if len(ids) == 1 else f"{len(ids)} pictures are in the bin."
    undo = _button("undelete", ",".join(map(str, ids)), "Undo", "Take out of the bin again")
    return tag(
        "div",
        tag("p", text(message), class_="made", role="status") + tag("div", undo, class_="actions"),
        class_="caption",
    )


def many_html(recipes: Sequence[Recipe]) -> str:
    """The label of several pictures of one job, in their order."""
    prompts = list(dict.fromkeys(map(prompt_of, recipes)))
    prompt = prompts[0] if len(prompts) == 1 else f"{prompts[0]}, and {len(prompts) - 1} more"
    message = f"{together(recipes)}. Choose one to see its recipe."
    inner = tag("p", text(prompt), class_="said") + tag("p", text(message), class_="made")
    return tag("div", tag("div", inner), class_="caption")


def together(recipes: Sequence[Recipe]) -> str:
    """Several pictures in a few words: how many, and what tells them apart: "6 pictures of seed 7, guidance scale 0 to
    30", "4 pictures, seeds 7 to 10".
    """
    count = f"{len(recipes)} pictures"
    seeds = [recipe.seed for recipe in recipes]
    if len(set(seeds)) == 1:
        count += f" of seed {seeds[0]}"
    elif seeds == list(range(seeds[0], seeds[0] + len(seeds))):
        count += f", seeds {seeds[0]} to {seeds[-1]}"
    else:
        count += f", {len(set(seeds))} seeds"
    values = [_flat(recipe) for recipe in recipes]
    names = [name for name in dict.fromkeys(name for settings in values for name in settings) if name != "seed"]
    none_applied = {name: 0.0 for name in names if name.startswith(_STRENGTH)}
    values = [none_applied | settings for settings in values]
    differing = [name for name in names if len({repr(settings.get(name)) for settings in values}) > 1]
    rules = len({recipe.guidance.method for recipe in recipes}) > 1
    if rules or len(differing) > 3:
        rules = rules or any(name.startswith("guidance.") for name in differing)
        return f"{count}, several {'kinds of guidance' if rules else 'settings'}"
    return ", ".join([count, *(_range(name, [settings.get(name) for settings in values]) for name in differing)])


def _flat(recipe: Recipe) -> dict[str, object]:
    """The values of a recipe by name, those of its guidance, its sampler and its edits among them."""
    flat: dict[str, object] = {}
    for name, value in recipe.model_dump(mode="json").items():
        if name == "guidance":
            flat |= {f"guidance.{key}": setting for key, setting in value["params"].items()}
            flat["guidance.wrappers"] = value.get("wrappers")
        elif name == "sampler_params":
            flat |= value
        elif name == "edits":
            flat |= {f"{_STRENGTH}{edit['edit']}": edit["strength"] for edit in value}
            flat["settings of edits"] = [edit | {"strength": None} for edit in value if len(edit) > 2]
        else:
            flat[name] = value
    return flat


def _range(name: str, values: Sequence[object]) -> str:
    """What one thing that differs is, and its values where they are numbers."""
    words = name if name.startswith(_STRENGTH) else name.removeprefix("guidance.").replace("_", " ")
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return f"several {words}{'' if words.endswith('s') else 's'}"
    return f"{words} {min(numbers):g} to {max(numbers):g}"


def summary(recipe: Recipe) -> str:
    """The line that tells two pictures of one prompt apart."""
    scale = recipe.guidance.params.get("guidance_scale")
    guidance = recipe.guidance.method.upper() + ("" if scale is None else f" {scale:g}")
    edits = f" · {len(recipe.edits)} edit{'s' * (len(recipe.edits) > 1)}" if recipe.edits else ""
    steps = f"{recipe.steps} step{'s' * (recipe.steps > 1)}"
    return f"seed {recipe.seed} · {steps} · {guidance} · {recipe.width} × {recipe.height}{edits}"


def recipe_facts(picture: Generation) -> list[tuple[str, object]]:
    """Everything the picture was made with, by name."""
    recipe = picture.recipe
    rows: list[tuple[str, object]] = [
        ("Number", picture.id),
        ("Made", f"{picture.created_at.astimezone():%Y-%m-%d %H:%M:%S}"),
    ]
    rows += [("Model", recipe.model), ("Negative prompt", recipe.negative_prompt or "none")]
    rows += [
        ("Also negative", f"{negative.prompt} × {negative.weight:g}{_window(negative)}")
        for negative in recipe.more_negatives
    ]
    rows += [("Seed", recipe.seed)]
    if recipe.variation_strength:
        rows.append(("Variation", f"seed {recipe.variation_seed} × {recipe.variation_strength:g}"))
    rows += [
        ("Size", f"{recipe.width} × {recipe.height}"),
        ("Steps", recipe.steps),
        ("Sampler", sampler_label(recipe.sampler)),
    ]
    rows += _params(recipe.sampler_params)
    rows += [("Spacing", recipe.spacing), ("Guidance", recipe.guidance.method), *_params(recipe.guidance.params)]
    rows += [("Edits", ", ".join(map(_edit, recipe.edits)) or "none")]
    return [*rows, ("Recipe", recipe.digest()[:16])]


def _window(negative: Negative) -> str:
    if (negative.start, negative.stop) == (0, 1):
        return ""
    return f", from {negative.start:g} to {negative.stop:g} of the steps"


def _params(params: Mapping[str, object]) -> list[tuple[str, object]]:
    return [(name.replace("_", " ").capitalize(), value) for name, value in params.items()]


def _actions(picture: Generation) -> str:
    id = picture.id
    restore = _button("restore", id, "Restore settings", "Put everything it was made with back into the form")
    download = tag(
        "a",
        "Download",
        href=address(id, picture.sha256),
        download=file_name(id, picture.recipe.seed),
        class_="action",
        title="The original PNG file, with its recipe inside",
    )
    if picture.deleted_at is not None:
        return _button("undelete", id, "Take out of the bin", "Put it back into the history") + restore + download
    star = tag(
        "button",
        "★" if picture.favourite else "☆",
        type="button",
        class_="action icon star",
        data_do="star",
        data_id=str(id),
        aria_pressed=str(picture.favourite).lower(),
        aria_label="Favourite",
        title="Favourite",
        id="star-shown",
    )
    delete = tag(
        "button",
        "Delete",
        type="button",
        class_="action",
        data_do="delete",
        data_id=str(id),
        title="Move it into the bin; this can be undone",
        id="delete-shown",
    )
    return star + restore + download + _send(id) + delete


def _send(id: int) -> str:
    buttons = "".join(
        tag("button", text(title), type="button", data_do="send", data_id=str(id), data_to=to)
        for to, title in targets().items()
    )
    if not buttons:
        return ""
    return tag(
        "details", tag("summary", "Send to", class_="action") + tag("div", buttons, class_="choices"), class_="menu"
    )


def _button(action: str, id: int | str, label: str, title: str) -> str:
    return tag("button", label, type="button", class_="action", data_do=action, data_id=str(id), title=title)


def _edit(ref: EditRef) -> str:
    window = "" if (ref.start, ref.stop) == (0, 1) else f" from {ref.start:.0%} to {ref.stop:.0%} of the steps"
    return f"{ref.edit} × {ref.strength:g}{' by the prompt' if ref.auto else ''}{window}"
