"""Unified Concept Editing, in closed form (studio.erasure.closed_form)."""

from studio.training.erase.method import METHODS, Method
from studio.training.erase.plan import INSTANT

METHODS.register(INSTANT)(
    Method(
        title="Instant",
        name="Unified Concept Editing",
        about="Sends the concept's text where its substitute's goes. Nothing is trained; it takes about a second.",
        source="arXiv:2308.14761",
        leaves_out=frozenset({"style"}),
    )
)
