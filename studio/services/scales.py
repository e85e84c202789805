"""How far the scale of guidance goes on a model before its pictures break, where that was measured."""

from __future__ import annotations

from studio.core.errors import StudioError
from studio.core.recipe import GuidanceSpec
from studio.services.sources import Sources

PLAIN = "cfg"  # what the range was measured with: other methods were made to go further
PARAMETER = "guidance_scale"


def scales(sources: Sources, model: str) -> tuple[float, float] | None:
    """The lowest and the highest scale of plain guidance that suit a model; None where nobody measured it."""
    try:
        return sources.card(model).guidance_scales
    except StudioError:  # a model that cannot be read has a sentence of its own, elsewhere
        return None


def caveat(spec: GuidanceSpec, sources: Sources, model: str) -> str:
    """Say in a sentence that plain guidance goes beyond what suits the model; "" where it does not, or may not."""
    suitable = scales(sources, model)
    scale = spec.params.get(PARAMETER)
    if suitable is None or spec.method != PLAIN or spec.wrappers or not isinstance(scale, int | float):
        return ""
    _, high = suitable
    return f"Above a scale of {high:g}, pictures of {model.capitalize()} break up more often." if scale > high else ""
