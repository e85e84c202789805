"""From the words of a recipe to the method they mean, with everything put around it."""

from __future__ import annotations

from typing import Any

from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.guidance.base import GUIDANCE, Guidance
from studio.guidance.diffusers_guiders import DISABLED
from studio.guidance.sum import Sum
from studio.guidance.wrapper import WRAPPERS, Wrapped, Wrapper


def build(spec: GuidanceSpec) -> Guidance:
    """Build what a recipe asks for: the method and its wrappers, the first innermost.

    Raises NotFound for a name, BadInput for a parameter or for parameters that do not go together.
    """
    return _wrapped(spec, sums=True)


def build_method(spec: GuidanceSpec) -> Guidance:
    """Build the method alone. Raises as `build`."""
    if spec.method in DISABLED:
        raise BadInput(f"The guidance method {spec.method} is not offered: {DISABLED[spec.method]}.", field="method")
    return load(GUIDANCE.get(spec.method), spec.params, f"guidance method {spec.method}")


def spoken(spec: GuidanceSpec) -> GuidanceSpec:
    """The same with every parameter said out loud, of one that `build` takes: it outlives a changed default."""
    wrappers = tuple(
        WrapperSpec(
            wrapper=layer.wrapper,
            params=load(WRAPPERS.get(layer.wrapper), layer.params, "guidance wrapper").model_dump(exclude={"added"}),
            added=None if layer.added is None else spoken(layer.added),
        )
        for layer in spec.wrappers
    )
    params = build_method(spec).model_dump(mode="json", exclude_none=True)
    return GuidanceSpec(method=spec.method, params=params, wrappers=wrappers)


def _wrapped(spec: GuidanceSpec, sums: bool) -> Guidance:
    guidance = build_method(spec)
    for layer in spec.wrappers:
        wrapper = _wrapper(layer, sums)
        wrapper.check(guidance)
        guidance = Wrapped(inner=guidance, wrapper=wrapper)
    return guidance


def _wrapper(spec: WrapperSpec, sums: bool) -> Wrapper:
    cls = WRAPPERS.get(spec.wrapper)
    values: dict[str, Any] = dict(spec.params)
    adds = issubclass(cls, Sum)
    if adds and not sums:
        raise BadInput("A guidance method that is added cannot add another itself; add both to the first.")
    if spec.added is not None:
        if not adds:
            raise BadInput(f"The guidance wrapper {spec.wrapper} adds no method; only sum takes 'added'.")
        values["added"] = _wrapped(spec.added, sums=False)
    return load(cls, values, f"guidance wrapper {spec.wrapper}")
