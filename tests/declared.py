"""What declared parameters say of themselves, as cases for the contract tests of those that declare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from studio.core.params import ParamSpec


def not_mattering(found: Sequence[ParamSpec]) -> Iterator[tuple[ParamSpec, dict[str, Any], tuple[Any, Any]]]:
    """(parameter, values of others beside which it is said not to matter, two values of its own)."""
    by_name = {spec.name: spec for spec in found}
    for spec in found:
        two = {"text": ("0:1", "0:2, 1:0"), "bool": (False, True)}.get(spec.kind, (spec.low, spec.high))
        for name, wanted in spec.when:
            all_values = by_name[name].choices or (True, False)
            assert by_name[name].kind in ("choice", "bool") and set(wanted) < set(all_values), (spec.name, name)
            for value in set(all_values) - set(wanted):
                yield spec, {name: value}, two
