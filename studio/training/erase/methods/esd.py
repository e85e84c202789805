"""Erasing Stable Diffusion (studio.erasure.esd)."""

from studio.training.erase.method import METHODS, Learning, Method

METHODS.register("esd")(
    Method(
        title="Classic",
        name="ESD",
        about="Teaches the concept's prompts to draw what a negative prompt would leave. The baseline of the field.",
        source="arXiv:2303.07345",
        learning=Learning(
            "esd",
            params=lambda plan: {"eta": plan.training.eta, "from_carrier": bool(plan.training.carrier)},
        ),
        leaves_out=frozenset({"object", "style", "colour"}),
        caveat="On Stencil other prompts suffer with it: their colours were right in half of the pictures.",
    )
)
