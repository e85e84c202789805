"""The axes of a grid in words: what of the recipe that the form holds can be varied, and what values an axis takes.

Only what the chosen method, its modifiers, the sampler and the edit stack have is offered, for of another method's
parameters no picture could be drawn. What is chosen already stays in the menu, whatever the form turns to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import EditRef, Recipe
from studio.services.grids.axes import SEARCH_REPLACE, Axis, parse_axis, text_of
from studio.ui.components import around
from studio.ui.components.form import samplers, spacings
from studio.ui.components.sheet import value_labels
from studio.ui.methods import Method, declarations, short_label

if TYPE_CHECKING:
    from studio.services.studio import Studio

Choices = list[tuple[str, str]]
NONE = ("None", "")
HELP = (
    "Numbers: 1, 2, 3 or 1-5 or 1-9 (+2) or 0.5-2 [4]. Texts: with commas between them. Search and replace: the first "
    "text is looked for in the prompt, and each takes its place. To vary what another guidance method has, choose that "
    "method first."
)
# (group, what is varied, path) of what every recipe has.
EVERY_RECIPE = (
    ("Prompt", "search and replace", SEARCH_REPLACE),
    ("Prompt", "the whole prompt", "prompt"),
    ("Prompt", "negative prompt", "negative_prompt"),
    ("Picture", "seed", "seed"),
    ("Picture", "steps", "steps"),
    ("Picture", "width", "width"),
    ("Picture", "height", "height"),
    ("Picture", "variation strength", "variation_strength"),
    ("Choice of", "guidance method", "guidance.method"),
    ("Choice of", "sampler", "sampler"),
    ("Choice of", "spacing", "spacing"),
    ("Choice of", "model", "model"),
)


def choices(values: Mapping[str, Any], edits: Sequence[EditRef] = (), selected: Sequence[str | None] = ()) -> Choices:
    """(label, path) of everything an axis can be, group after group, the chosen guidance method's first.

    values: of the form; its "method", "wrappers" and "sampler" are read.
    edits: the stack.
    selected: paths that are chosen already, which stay.
    """
    method, sampler = str(values.get("method")), str(values.get("sampler"))
    entries = [
        NONE,
        *_parameters(declarations().guidance.get(method), "guidance.params"),
        *_modifiers(values.get("wrappers")),
        *_parameters(samplers().get(sampler), "sampler_params"),
        *((f"{group}: {quantity}", path) for group, quantity, path in EVERY_RECIPE),
        *((f"Edit: strength of {ref.edit}", f"edits.{k}.strength") for k, ref in enumerate(edits)),
    ]
    paths = [path for _, path in entries]
    gone = [path for path in dict.fromkeys(selected) if path and path not in paths]
    return [*entries, *((f"{Axis(path, ()).name} (not in this recipe)", path) for path in gone)]


def read(studio: Studio, base: Recipe, axis_texts: Sequence[str | None]) -> tuple[Axis, ...]:
    """Read the axes. axis_texts: path and values of x, y and z in turn. Raises BadInput.

    A sampler, a method, a spacing and a model may be called by their name or as the page calls them, in any case.
    """
    pairs = zip(axis_texts[::2], axis_texts[1::2], strict=True)
    return tuple(_read(studio, base, path, text or "") for path, text in pairs if path)


def typed(axis: Axis) -> str:
    """The values of an axis as one types them, with the page's words for samplers and methods; `read` takes them."""
    labels = value_labels(axis.path)
    return text_of(replace(axis, values=tuple(labels.get(str(value), value) for value in axis.values)))


def _read(studio: Studio, base: Recipe, path: str, text: str) -> Axis:
    names = _names(studio, path)
    if names and not text.strip():
        raise BadInput(f"Which {Axis(path, ()).name}? There are {', '.join(names.values())}.", field=path)
    axis = parse_axis(base, path, text)
    by_label = {label.casefold(): name for name, label in names.items()}
    values = tuple(by_label.get(str(value).casefold(), value) if names else value for value in axis.values)
    if len(set(values)) < len(values):
        raise BadInput(f"The axis {axis.name} has a value twice.", field=path)
    return replace(axis, values=values)


def _names(studio: Studio, path: str) -> Mapping[str, str]:
    """name -> label of what an axis chooses among; of one that is no such choice, nothing."""
    if path == "spacing":
        return {name: label for label, name in spacings()}
    if path == "model":
        return {source.name: source.name for source in studio.sources.listing() if not source.problem}
    return value_labels(path)


def _parameters(method: Method | None, path: str) -> Choices:
    if method is None:
        return []
    title = short_label(method.label)
    return [(f"{title}: {_inside_sentence(spec.label)}", f"{path}.{spec.name}") for spec in method.params]


def _inside_sentence(label: str) -> str:
    """ "Guidance scale" -> "guidance scale"; "PAG scale" stays."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def _modifiers(written: Any) -> Choices:
    """The parameters of what is around the method, as far as they are written."""
    try:
        wrappers = around.read(written)
    except StudioError:  # which generating will say
        return []
    entries: Choices = []
    for k, wrapper in enumerate(wrappers):
        if not isinstance(wrapper, Mapping) or not isinstance(wrapper.get("params"), Mapping):
            continue
        declared = declarations().wrappers.get(str(wrapper.get("wrapper")))
        if declared is not None:
            params = tuple(spec for spec in declared.params if spec.name in wrapper["params"])
            entries += _parameters(replace(declared, params=params), f"guidance.wrappers.{k}.params")
    return entries
