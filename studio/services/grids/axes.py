"""Axes of a grid: any parameter of a recipe by its dotted path, and its values read from text.

Numbers: "1, 2, 3"; "1-5" counts up (or down) by one; "1-9 (+2)" by two; "0.5-2 [4]" takes four, evenly spaced, both
ends included; all of these can be mixed with commas. Texts: parted by commas, in double quotes where a text has commas
of its own. The path "S/R" searches the prompts for the first text and puts each text in its place (so the first cell
is the recipe as it was). This notation is that of the X/Y/Z plot script of AUTOMATIC1111's web UI, so that what people
know by heart goes on working.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, cast

from pydantic import BaseModel

from studio.core.errors import BadInput
from studio.core.params import Plain, shown, specs
from studio.core.recipe import Recipe

SEARCH_REPLACE = "S/R"
MAX_VALUES = 256  # of one axis
MAX_TEXT_CHARS = 100_000
_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool}  # all else is text
_NUMBER = r"[+-]?\d{1,20}(?:\.\d{1,20})?"
_RANGE = re.compile(rf"({_NUMBER})\s*-\s*({_NUMBER})\s*(?:\(\s*([+-]?{_NUMBER})\s*\)|\[\s*(\d{{1,6}})\s*\])?")
_EDIT = re.compile(r"edits\.(\d{1,4})\.(\w+)")
_MODIFIER = re.compile(r"guidance\.wrappers\.\d{1,4}\.params\.")


@dataclass(frozen=True)
class Axis:
    """One axis.

    path: of a field of the recipe, such as "steps" or "guidance.params.guidance_scale", or "S/R".
    """

    path: str
    values: tuple[Plain, ...]

    @property
    def name(self) -> str:
        """What varies, in words."""
        return _name(self.path)

    def labels(self) -> tuple[str, ...]:
        """What is written beside each row or column."""
        if self.path == SEARCH_REPLACE:
            return tuple(str(value) or "(nothing)" for value in self.values)
        return tuple(f"{self.name}: {f'{value:g}' if isinstance(value, float) else value}" for value in self.values)


def _name(path: str) -> str:
    if path == SEARCH_REPLACE:
        return "words of the prompt"
    if match := _EDIT.fullmatch(path):
        return f"{match[2]} of edit {int(match[1]) + 1}"
    inner = _MODIFIER.sub("", path).removeprefix("guidance.params.").replace("sampler_params.", "sampler ")
    return inner.replace(".", " ").replace("_", " ")


def parse_axis(base: Recipe, path: str, text: str) -> Axis:
    """Read the values of an axis. Raises BadInput: no such parameter, or the text is not what it takes."""
    path = path.strip()
    if path.upper() == SEARCH_REPLACE:
        path, kind = SEARCH_REPLACE, str
    else:
        kind = _kind(base, path)
    if len(text) > MAX_TEXT_CHARS:
        message = f"The values of an axis have at most {MAX_TEXT_CHARS} characters, not {len(text)}."
        raise BadInput(message, field=path)
    distinct: dict[Plain, None] = {}
    for value in _values(path, kind, text):
        if value in distinct:
            raise BadInput(f"The axis of {_name(path)} has the value {shown(value)} twice.", field=path)
        if len(distinct) == MAX_VALUES:
            raise BadInput(f"The axis of {_name(path)} has more than {MAX_VALUES} values.", field=path)
        distinct[value] = None
    return Axis(path, tuple(distinct))


def text_of(axis: Axis) -> str:
    """The values of an axis as they are typed: the reverse of `parse_axis`."""
    if any(isinstance(value, str) for value in axis.values):
        return ", ".join(_quoted(str(value)) for value in axis.values)
    return ", ".join(_typed(value) for value in axis.values)


def _quoted(value: str) -> str:
    is_plain = value and value == value.strip() and not set(value) & {",", '"', "\n", "\r"}
    return value if is_plain else '"' + value.replace('"', '""') + '"'


def _typed(value: Plain) -> str:
    return str(value).lower() if isinstance(value, bool) else format(Decimal(str(value)), "f")


def _values(path: str, kind: type, text: str) -> Iterator[Plain]:
    if kind not in (int, float):
        yield from (_switch(path, value) if kind is bool else value for value in _texts(path, text))
        return
    with localcontext(prec=60):  # a seed has 20 digits
        for term in text.split(","):
            for number in _numbers(path, term.strip()):
                # A whole-number parameter is given what was written: the recipe says what is wrong with 2.5 steps.
                yield float(number) if kind is float or number != int(number) else int(number)


def with_value(values: dict[str, Any], axis: Axis, value: Plain) -> None:
    """Put one value of an axis into the plain values of a recipe. Raises BadInput for a search without a find."""
    if axis.path == SEARCH_REPLACE:
        searched = str(axis.values[0])
        texts = [(values, "prompt"), (values, "negative_prompt")]
        texts += [(negative, "prompt") for negative in values["more_negatives"]]
        if not searched or not any(searched in owner[field] for owner, field in texts):
            message = f"No prompt has {shown(searched)} in it, the text that {SEARCH_REPLACE} searches for."
            raise BadInput(message, field=SEARCH_REPLACE)
        for owner, field in texts:
            owner[field] = owner[field].replace(searched, str(value))
        return
    *folders, last = axis.path.split(".")
    place: Any = values
    for part in folders:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value


def _kind(base: Recipe, path: str) -> type:
    """The type of a parameter. Raises BadInput if the recipe has none by that path."""
    plain = {spec.name: spec.kind for spec in specs(type(base))}
    if path in plain:
        return _TYPES.get(plain[path], str)
    if path.startswith(("guidance.params.", "sampler_params.")):
        return _kind_of_method(base, path)
    place: Any = base.model_dump(mode="json")
    for part in path.split("."):
        if isinstance(place, dict) and part in place:
            place = place[part]
        elif isinstance(place, list) and re.fullmatch(r"\d{1,4}", part) and int(part) < len(place):
            place = place[int(part)]
        else:
            raise BadInput(f"The recipe has no parameter {shown(path)}.", _examples(base), field="axis")
    if path == "version" or not isinstance(place, int | float | str):
        raise BadInput(f"A grid cannot vary {shown(path)} as a whole.", _examples(base), field="axis")
    return type(place)


def _kind_of_method(base: Recipe, path: str) -> type:
    """The type of a parameter of the guidance method or the sampler, which need not stand in the recipe."""
    # Here and not above: they bring torch, and the page imports this file before it is painted.
    from studio.diffusion.solvers import SOLVERS
    from studio.guidance import GUIDANCE

    if path.startswith("guidance"):
        method, called_kind = cast("type[BaseModel]", GUIDANCE.get(base.guidance.method)), "guidance method"
        name, called = path.removeprefix("guidance.params."), base.guidance.method
    else:
        method, called_kind = cast("type[BaseModel]", SOLVERS.get(base.sampler)), "sampler"
        name, called = path.removeprefix("sampler_params."), base.sampler
    kinds = {spec.name: spec.kind for spec in specs(method)}
    if name in kinds:
        return _TYPES.get(kinds[name], str)
    has = f"it has {', '.join(kinds)}." if kinds else "it has none."
    raise BadInput(f"The {called_kind} {called} has no parameter {shown(name)}; {has}", field="axis")


def _examples(base: Recipe) -> str:
    fields = ", ".join(spec.name for spec in specs(type(base)))
    return f"Take {fields}, guidance.method, guidance.params.guidance_scale, edits.0.strength or {SEARCH_REPLACE}."


def _numbers(path: str, term: str) -> list[Decimal]:
    """Read one term between commas. In decimal arithmetic, so that 0.1-0.5 (+0.1) holds 0.3 and not almost 0.3."""
    if re.fullmatch(_NUMBER, term):
        return [Decimal(term)]
    match = _RANGE.fullmatch(term)
    if match is None:
        message = f"For {_name(path)}, {shown(term)} is neither a number nor a range."
        raise BadInput(message, "Write 1, 2, 3 or 1-5 or 1-9 (+2) or 0.5-2 [4].", field=path)
    start, end = Decimal(match[1]), Decimal(match[2])
    if match[4]:
        count, gaps = int(match[4]), max(1, int(match[4]) - 1)
        step = (end - start) / gaps
    else:
        step = Decimal(match[3]) if match[3] else Decimal(1 if end >= start else -1)
        if step == 0 or (end - start) / step < 0:
            raise BadInput(f"For {_name(path)}, {shown(term)} never gets to its end.", field=path)
        count = int((end - start) / step) + 1
    if not 1 <= count <= MAX_VALUES:
        raise BadInput(f"For {_name(path)}, {shown(term)} has {count} values, not 1 to {MAX_VALUES}.", field=path)
    return [round(start + step * i, 12) for i in range(count)]


def _texts(path: str, text: str) -> list[str]:
    try:
        rows = list(csv.reader([" ".join(text.splitlines())], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise BadInput(f"The values of {_name(path)} cannot be read: {error}.", field=path) from None
    if not rows or not rows[0]:
        raise BadInput(f"The axis of {_name(path)} has no values.", field=path)
    return [value.strip() for value in rows[0]]


def _switch(path: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BadInput(f"For {_name(path)}, {shown(text)} is neither true nor false.", field=path)
    return text.lower() == "true"
