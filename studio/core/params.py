"""Parameters declared once: the same field gives the slider, the preset key, the record, the docs row, the check.

class Shrink(Params):
    factor: float = param(0.5, low=0, high=1, step=0.05, help="how much is left")
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from studio.core.errors import BadInput

ParamKind = Literal["float", "int", "bool", "choice", "text"]
Plain = float | int | bool | str
When = tuple[tuple[str, tuple[str | bool, ...]], ...]  # (name of another parameter, its values), all to hold
M = TypeVar("M", bound=BaseModel)


def param(
    default: Plain,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    help: str = "",
    label: str | None = None,
    unit: str | None = None,
    choices: tuple[str, ...] | None = None,
    when: Mapping[str, tuple[str | bool, ...]] | None = None,
    names: ParamKind | None = None,
) -> Any:
    """Declare one parameter of a method (a pydantic FieldInfo; typed Any so that `x: float = param(...)` checks).

    low, high: inclusive bounds, enforced. step: what one notch of the slider moves, not enforced. unit: shown
    after the number. choices: allowed texts of a `str` field (a Literal annotation needs none). when: values of other
    parameters, switches or choices, under which this one matters: {"curve": ("beta",)}; without it, always. One that
    does not matter is not shown, but keeps its value. names: the text is the name of a parameter of that kind, one of
    the guidance method that what declares it is put around; see `nameable`.
    """
    metadata: dict[str, Any] = {
        "step": step,
        "unit": unit,
        "choices": list(choices) if choices else None,
        "when": {name: list(values) for name, values in when.items()} if when else None,
        "names": names,
    }
    extra = {key: value for key, value in metadata.items() if value is not None}
    return Field(default, ge=low, le=high, title=label, description=help or None, json_schema_extra=extra)


class Params(BaseModel):
    """Base of everything declared: frozen, no unknown fields, no NaN or infinity, no text or bool posing as a number.

    A whole float such as 20.0 is taken for an int, since sliders give floats.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_posing(cls, value: Any, info: ValidationInfo) -> Any:
        kind = _kind(cls.model_fields[str(info.field_name)])
        if kind in ("float", "int") and isinstance(value, bool | str | bytes):
            raise ValueError("not a number")
        if kind == "bool" and not isinstance(value, bool):
            raise ValueError("neither true nor false")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _among_choices(cls, value: Any, info: ValidationInfo) -> Any:
        choices = _choices(cls.model_fields[str(info.field_name)])
        if choices is not None and value not in choices:
            raise ValueError("not among the choices")
        return value


@dataclass(frozen=True)
class ParamSpec:
    """What a control needs to know of one parameter.

    name: of the field, and its key in presets and records.
    kind: which control it takes.
    default: its value where none is given.
    low, high: inclusive bounds, None where there is none.
    step: what one notch of a slider moves, None where there is none.
    help: one sentence for the page, "" for none.
    label: for the page.
    unit: shown after the number, None for none.
    choices: the texts it may be, None for one that is no choice.
    when: (name, values) of other parameters, all of which must hold for this one to matter; see `mattering`.
    names: the kind of parameter whose name it is, None for one that is no name; see `nameable`.
    """

    name: str
    kind: ParamKind
    default: Plain
    low: float | None
    high: float | None
    step: float | None
    help: str
    label: str
    unit: str | None
    choices: tuple[str, ...] | None
    when: When = ()
    names: ParamKind | None = None


def specs(cls: type[BaseModel]) -> tuple[ParamSpec, ...]:
    """Give the parameters of a class in the order they are declared.

    Nested models and containers have no single control and are left out.
    """
    declared: list[ParamSpec] = []
    for name, field in cls.model_fields.items():
        kind = _kind(field)
        if kind is None:
            continue
        extra = _extra(field)
        declared.append(
            ParamSpec(
                name=name,
                kind=kind,
                default=field.get_default(call_default_factory=True),
                low=_bound(field, "ge"),
                high=_bound(field, "le"),
                step=extra.get("step"),
                help=field.description or "",
                label=field.title or name.replace("_", " ").capitalize(),
                unit=extra.get("unit"),
                choices=_choices(field),
                when=tuple((name, tuple(values)) for name, values in extra.get("when", {}).items()),
                names=extra.get("names"),
            )
        )
    return tuple(declared)


def mattering(params: Sequence[ParamSpec], values: Mapping[str, Any]) -> frozenset[str]:
    """Name the parameters that make a difference beside these values; those left out count as their defaults."""
    all_values = {spec.name: values.get(spec.name, spec.default) for spec in params}
    return frozenset(
        spec.name for spec in params if all(all_values.get(name) in allowed for name, allowed in spec.when)
    )


def nameable(spec: ParamSpec, params: Sequence[ParamSpec]) -> tuple[ParamSpec, ...]:
    """Those of `params`, the parameters of the method around which it is put, that the text of `spec` may name."""
    return tuple(candidate for candidate in params if candidate.kind == spec.names)


def load(cls: type[M], values: Mapping[str, Any], noun: str) -> M:
    """Build `cls` from untrusted values. `noun` names the thing in messages, e.g. "recipe" or "guidance method apg".

    Raises BadInput: one sentence on the first thing wrong, naming the field, what is allowed and the value given.
    """
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        # Of the errors pydantic lists, an unknown field comes last; told first, a typo is not hidden behind its effect.
        problems = sorted(
            error.errors(include_url=False, include_context=False), key=lambda e: e["type"] != "extra_forbidden"
        )
        raise _sentence(cls, problems[0]["type"], problems[0]["loc"], problems[0]["input"], noun) from None


def _sentence(cls: type[BaseModel], problem: str, loc: tuple[int | str, ...], value: Any, noun: str) -> BadInput:
    """Turn one pydantic error into a BadInput sentence, by walking `loc` down to the field it speaks of."""
    owner: type[BaseModel] | None = cls  # the model the next part of `loc` names a field of
    field: FieldInfo | None = None
    path, allowed = "", "a set of named values"
    for part in loc:
        if owner is not None and isinstance(part, str):
            path += f".{part}" if path else part
            if problem == "extra_forbidden" and part not in owner.model_fields:
                close = difflib.get_close_matches(part, owner.model_fields, n=1)
                ending = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(owner.model_fields)}."
                return BadInput(f"The {noun} has no field {shown(path)}; {ending}", field=path)
            field = owner.model_fields.get(part)
            allowed = "a set of named values" if field is None else _allowed(field)
            owner = None if field is None or _container(field) else _model_in(field)
        elif field is not None and _container(field) is tuple:
            path += f"[{part}]"
            owner, allowed = _model_in(field), "a set of named values"
        elif field is not None and _container(field) is dict:
            path += f".{part}"
            allowed = "a finite number, true, false or text"
            break  # what follows names a member of a union, which tells a user nothing
    if len(path) > 120:  # values nested hundreds deep
        path = f"{path[:57]}...{path[-57:]}"
    if problem == "missing":
        return BadInput(f"The {noun} lacks the field {path!r}.", field=path)
    actual = f"{len(value)} characters" if problem == "string_too_long" else shown(value)
    return BadInput(f"In the {noun}, {path or 'the value'} must be {allowed}, not {actual}.", field=path or None)


def _allowed(field: FieldInfo) -> str:
    """Say what a field accepts, e.g. "a whole number from 1 to 1000"."""
    kind = _kind(field)
    longest = _bound(field, "max_length")
    if kind is None:
        if _container(field) is not tuple:
            return "a path" if _without_none(field.annotation) is Path else "a set of named values"
        return "a list" if longest is None else f"a list of at most {longest} entries"
    if choices := _choices(field):
        return f"one of {', '.join(choices)}"
    if kind == "bool":
        return "true or false"
    if kind == "text":
        return "valid text" if longest is None else f"valid text of at most {longest} characters"
    multiple = _bound(field, "multiple_of")
    noun = f"a multiple of {multiple}" if multiple else "a whole number" if kind == "int" else "a number"
    low, high = _bound(field, "ge"), _bound(field, "le")
    above, below = _bound(field, "gt"), _bound(field, "lt")
    if above is not None:
        most = f", at most {high}" if high is not None else f" and below {below}" if below is not None else ""
        return f"{noun} above {above}{most}"
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    if low is not None:
        return f"{noun} of at least {low}"
    return noun if high is None else f"{noun} of at most {high}"


def _kind(field: FieldInfo) -> ParamKind | None:
    """Classify an annotation; None for nested models, containers, paths. `X | None` counts as X."""
    annotation = _without_none(field.annotation)
    if get_origin(annotation) is Literal:
        # A Literal of numbers (the recipe's version) is compared, not chosen from.
        return "choice" if all(isinstance(value, str) for value in get_args(annotation)) else None
    if annotation is str and _choices(field):
        return "choice"
    kinds: dict[Any, ParamKind] = {float: "float", int: "int", bool: "bool", str: "text"}
    return kinds.get(annotation)


def _choices(field: FieldInfo) -> tuple[str, ...] | None:
    annotation = _without_none(field.annotation)
    if get_origin(annotation) is Literal and all(isinstance(value, str) for value in get_args(annotation)):
        return get_args(annotation)
    declared = _extra(field).get("choices")
    return None if declared is None else tuple(declared)


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = cast("object", field.json_schema_extra)  # pydantic also allows a function here; `param` never gives one
    return cast("dict[str, Any]", extra) if isinstance(extra, dict) else {}


def _bound(field: FieldInfo, name: str) -> Any:
    """Find a limit among the field's metadata, where pydantic keeps `ge`, `le`, `multiple_of`, `max_length`."""
    return next((value for item in field.metadata if (value := getattr(item, name, None)) is not None), None)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return members[0] if len(members) == 1 else annotation
    return annotation


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """The model of an annotation such as `Guidance`, `Guidance | None` or `tuple[Edit, ...]`."""
    for candidate in (_without_none(field.annotation), *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _container(field: FieldInfo) -> Any:
    """`dict` or `tuple` where the annotation is such a container, else None."""
    origin = get_origin(field.annotation)
    return origin if origin in (dict, tuple) else None


def shown(value: Any) -> str:
    """Give a value as short text: a message is one sentence, whatever was put in."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
