"""What of a recipe does not go together: guidance with a sampler, or with a negative prompt it has no use for.

A sampler of higher order extrapolates from the predictions of earlier steps. Where guidance moves the latents in
between, or predicts nothing, what it extrapolates from is not of the path that the latents are on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.core.recipe import GuidanceSpec


def caveat(spec: GuidanceSpec, sampler: str, sampler_params: Mapping[str, Any] | None = None) -> str:
    """Say in a sentence why they do not go together, and what does; "" where they do.

    Nothing is refused for it: it is what somebody may want to look at. Raises NotFound, BadInput as the recipe would.
    """
    # Here and not above: they bring torch, and the page, which imports this file, is painted before that.
    from studio.diffusion.solvers import SOLVERS, build_solver
    from studio.guidance import build

    guidance = build(spec)
    solver = build_solver(sampler, sampler_params or {})
    reason = guidance.breaks_history()
    if not reason or not solver.keeps_history():
        return ""
    *further_labels, last_label = [cls.label for _, cls in SOLVERS.items() if not cls().keeps_history()]
    return (
        f"{_label_of(spec)} {reason}, and {solver.label}, a multistep sampler, goes by earlier steps, which no longer "
        f"fit. {', '.join(further_labels)} and {last_label} suit it."
    )


def idle_negative(spec: GuidanceSpec) -> str:
    """Say in a sentence that a negative prompt has no effect under this guidance, and what gives it one; "" if it has.

    Raises NotFound, BadInput as the recipe would.
    """
    from studio.guidance import GUIDANCE, build
    from studio.guidance.asking import uses_negatives

    if uses_negatives(build(spec)):
        return ""
    return (
        "The negative prompt has no effect with this guidance. Set a guidance scale other than 1, or take "
        f"{GUIDANCE.get('nag').label}, in which it acts at scale 1 too."
    )


def _label_of(spec: GuidanceSpec) -> str:
    """What the method is called that breaks the history: the method itself, or what a sum adds to it."""
    from studio.guidance import GUIDANCE, build

    methods = [spec, *(wrapper.added for wrapper in spec.wrappers if wrapper.added is not None)]
    plain = [method.model_copy(update={"wrappers": ()}) for method in methods]
    method = next((method for method in plain if build(method).breaks_history()), plain[0])
    return GUIDANCE.get(method.method).label or method.method
