"""What two recipes differ in, as a list to read: the parameter, what it is in the one, what it is in the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from studio.core.recipe import EditRef, GuidanceSpec, Recipe

NOTHING = "none"
_NAMES = {"more_negatives": "further negatives", "sampler_params": "sampler", "negative_prompt": "negative prompt"}
_APART = ("guidance", "edits", "sampler_params", "more_negatives", "version", "batching")  # told in words of their own
MAX_CHARS = 120


@dataclass(frozen=True)
class Difference:
    """One thing two recipes differ in.

    path: of the field, dotted, as "guidance.params.guidance_scale"; of an edit "edits.<its name>".
    name: the same in words.
    reference, variant: its value in the one and in the other, as text; NOTHING where it is not there.
    """

    path: str
    name: str
    reference: str
    variant: str

    @property
    def sentence(self) -> str:
        """As it is read in a list."""
        return f"{self.name}: {self.reference} → {self.variant}"


def differences(reference: Recipe, variant: Recipe, without: Collection[str] = ()) -> tuple[Difference, ...]:
    """List what `variant` differs in from `reference`, in the order of a recipe's fields.

    Defaults that only one of them says count as different: compare recipes that are settled (checks.settled).
    without: fields that are passed over, such as "seed" where a column says it. How cells are batched is never told.
    """
    listed: list[Difference] = []
    for field in Recipe.model_fields:
        if field in without:
            continue
        if field == "guidance":
            listed += _guidance(reference.guidance, variant.guidance)
        elif field == "edits":
            listed += _edits(reference.edits, variant.edits)
        elif field == "sampler_params" and reference.sampler == variant.sampler:
            listed += _params("sampler_params", "sampler", reference.sampler_params, variant.sampler_params)
        elif field == "more_negatives":
            texts = [[negative.model_dump(mode="json") for negative in r.more_negatives] for r in (reference, variant)]
            listed += _one(field, *(_negatives(text) for text in texts))
        elif field not in _APART:
            listed += _one(field, _text(getattr(reference, field)), _text(getattr(variant, field)))
    return tuple(listed)


def in_words(listed: Collection[Difference], most: int = 3) -> str:
    """The same in one line, "" for none: what it is now, the first few."""
    parts = [_now(difference) for difference in listed]
    ending = f" and {len(parts) - most} more" if len(parts) > most else ""
    return ", ".join(parts[:most]) + ending


def _now(difference: Difference) -> str:
    if difference.path == "prompt":
        return difference.variant or "no prompt"
    if difference.path.startswith("edits."):
        return (
            f"without {difference.name}" if difference.variant == NOTHING else f"{difference.name} {difference.variant}"
        )
    return f"{difference.name} {difference.variant}"


def _one(field: str, reference: str, variant: str) -> list[Difference]:
    name = _NAMES.get(field, field.replace("_", " "))
    return [] if reference == variant else [Difference(field, name, _short(reference), _short(variant))]


def _guidance(reference: GuidanceSpec, variant: GuidanceSpec) -> list[Difference]:
    if reference.method != variant.method:
        listed = [Difference("guidance", "guidance", _short(_spec(reference)), _short(_spec(variant)))]
    else:
        listed = _params("guidance.params", "", reference.params, variant.params)
    wrappers = [" in ".join(map(_wrapper, spec.wrappers)) or NOTHING for spec in (reference, variant)]
    if wrappers[0] != wrappers[1]:
        listed.append(Difference("guidance.wrappers", "modifiers", *map(_short, wrappers)))
    return listed


def _spec(spec: GuidanceSpec) -> str:
    return f"{spec.method}{_in_brackets(spec.params)}"


def _wrapper(wrapper: Any) -> str:
    added = f" of {_spec(wrapper.added)}" if wrapper.added is not None else ""
    return f"{wrapper.wrapper}{added}{_in_brackets(wrapper.params)}"


def _in_brackets(params: Mapping[str, Any]) -> str:
    inner = ", ".join(f"{name.replace('_', ' ')} {_text(value)}" for name, value in sorted(params.items()))
    return f" ({inner})" if inner else ""


def _params(path: str, prefix: str, reference: Mapping[str, Any], variant: Mapping[str, Any]) -> list[Difference]:
    listed: list[Difference] = []
    for name in dict.fromkeys((*reference, *variant)):
        texts = [_text(values[name]) if name in values else NOTHING for values in (reference, variant)]
        if texts[0] != texts[1]:
            words = f"{prefix} {name.replace('_', ' ')}".strip()
            listed.append(Difference(f"{path}.{name}", words, *map(_short, texts)))
    return listed


def _edits(reference: tuple[EditRef, ...], variant: tuple[EditRef, ...]) -> list[Difference]:
    """Edits of strength 0 do nothing, and are as if they were not there. Nor does their order matter: deltas add up."""
    stacks = [{ref.edit: _strength(ref) for ref in stack if ref.strength} for stack in (reference, variant)]
    names = dict.fromkeys((*stacks[0], *stacks[1]))
    pairs = [(name, stacks[0].get(name, NOTHING), stacks[1].get(name, NOTHING)) for name in names]
    return [Difference(f"edits.{name}", f"edit {name}", old, new) for name, old, new in pairs if old != new]


def _strength(ref: EditRef) -> str:
    window = "" if (ref.start, ref.stop) == (0, 1) else f", from {ref.start:g} to {ref.stop:g} of the steps"
    return f"at {ref.strength:g}{window}{', by its gate' if ref.auto else ''}"


def _negatives(values: Collection[Mapping[str, Any]]) -> str:
    return "; ".join(f"{value['prompt']} ({value['weight']:g})" for value in values) or NOTHING


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return NOTHING if value is None or value == "" else str(value)


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 3]}..."
