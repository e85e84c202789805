"""A rule of guidance that is edited in place: its words, its controls, and what one of them does to it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.ui.components import around, fields
from studio.ui.components.fields import Entry
from studio.ui.markup import tag, text
from studio.ui.methods import declarations, defaults, short_label

OPS = ("method", "param", *around.CHANGES)


def changed(rule: GuidanceSpec, op: str, at: str = "", name: str = "", value: Any = None) -> GuidanceSpec:
    """The rule with one thing done to it. Raises BadInput for what cannot be.

    op: one of OPS: method (value: its name), param (name, value), and the changes of what is around the method, for
    which see `around.change`.
    """
    spec = rule.model_dump(mode="json")
    if op == "method":
        _change_method(spec, str(value))
    elif op == "param":
        spec["params"][name] = around.plain(value)
    else:
        spec["wrappers"] = around.change(spec.get("wrappers", []), op, at, name, value, str(spec["method"]))
    return loaded(spec)


def loaded(value: GuidanceSpec | Mapping[str, Any]) -> GuidanceSpec:
    """The rule of plain values, which may be anybody's. Raises BadInput."""
    return value if isinstance(value, GuidanceSpec) else load(GuidanceSpec, dict(value), "guidance")


def label(rule: GuidanceSpec) -> str:
    """A rule in a few words: "APG 6, interval"; "PAG 3 + CFG 4" of a method that has a scale of its own besides."""
    method = declarations().guidance.get(rule.method)
    title = method.label if method else rule.method
    short = short_label(title)
    numbers = {
        name: f"{value:g}"
        for name, value in rule.params.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    scales = [value for name, value in numbers.items() if name.endswith("scale")]
    scale = numbers.get("guidance_scale", next(iter(scales), ""))
    own_scale = numbers.get(f"{rule.method}_scale")
    words = f"{short} {own_scale or scale}".rstrip()
    if own_scale and scale not in ("", "1"):
        words += f" + CFG {scale}"
    return ", ".join([words, *(wrapper.wrapper.replace("_", " ") for wrapper in rule.wrappers)])


def settings_html(id: int, rule: GuidanceSpec, offered: Sequence[Entry]) -> str:
    """The controls. id: of the row, which they tell beside what was done. offered: the menu of methods."""
    method = declarations().guidance.get(rule.method)
    parts = [fields.select("method", id, "Method", offered, rule.method)]
    if method is None:
        parts.append(tag("p", "This method is not here any more; choose another.", class_="hint wrong"))
    else:
        if method.source:
            parts.append(tag("p", text(method.source), class_="source"))
        parts += fields.parameters(method.params, rule.params, "param", id)
    wrappers = [wrapper.model_dump(mode="json") for wrapper in rule.wrappers]
    parts.append(around.around_html(wrappers, rule.method, id, offered=offered))
    return "".join(parts)


def _change_method(spec: dict[str, Any], name: str) -> None:
    """What both methods have is kept: the scale above all."""
    fresh = copy.deepcopy(defaults(name))
    params = {param.name: param for param in declarations().guidance[name].params}
    for key, value in spec["params"].items():
        param = params.get(key)
        if param is None:
            continue
        free = isinstance(value, str | bool)
        if (param.low is None or free or param.low <= value) and (param.high is None or free or value <= param.high):
            fresh["params"][key] = value
    spec["method"], spec["params"] = name, fresh["params"]
