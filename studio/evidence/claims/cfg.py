"""Classifier-free guidance, and the rescale that takes its excess of contrast back."""

from studio.core.recipe import WrapperSpec
from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

CLAIMS.register("cfg")(
    Claim(
        method="cfg",
        sentence="Guidance draws what the prompt says more faithfully than the model alone, at equal work.",
        source="arXiv:2207.12598",
        chosen="The studio's default scale; the model alone gets twice the steps.",
        arms={"cfg 1.5": cfg(1.5), "no guidance": cfg(1.0)},
        conditions=(Condition("quality", "cfg 1.5", "no guidance", "higher"),),
    )
)

CLAIMS.register("rescale")(
    Claim(
        method="rescale",
        sentence="Pulling the guided output's spread back to the conditional one's takes contrast that high scales "
        "add, without losing the prompt.",
        source="arXiv:2305.08891",
        chosen="Scale 6, well above 4, where Stencil begins to oversaturate; phi 0.7 as the paper recommends.",
        arms={
            "cfg 6, rescaled": Arm(guided("cfg", WrapperSpec(wrapper="rescale"), guidance_scale=6.0)),
            "cfg 6": cfg(6.0),
        },
        conditions=(
            Condition("contrast", "cfg 6, rescaled", "cfg 6", "lower"),
            Condition("accuracy", "cfg 6, rescaled", "cfg 6", "no lower"),
        ),
    )
)
