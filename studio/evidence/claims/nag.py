"""Normalized attention guidance: a negative prompt that acts where classifier-free guidance has none to act with."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, guided

_CHOSEN = (
    "The method's defaults, which the authors take for SDXL in four steps: scale 3, tau 2.5, alpha 0.5. Prompts leave "
    "style or colour open, and the negative prompt is one word for it, drawn at random; at a guidance scale of 1 plain "
    "guidance has no use for it. A row of the method is a tenth dearer on Stencil, which rows do not tell."
)
_ARMS = {
    "NAG 3": Arm(guided("nag"), negative="field"),
    "no guidance": Arm(guided("cfg", guidance_scale=1.0), negative="field"),
}

CLAIMS.register("nag")(
    Claim(
        method="nag",
        sentence="Without classifier-free guidance, a negative prompt that acts in attention keeps what it names out "
        "of the picture.",
        source="arXiv:2505.21179",
        chosen=_CHOSEN + " Beside them a negative prompt in the usual field, at the studio's default scale.",
        arms={**_ARMS, "negative prompt, cfg 1.5": Arm(guided("cfg", guidance_scale=1.5), negative="field")},
        conditions=(Condition("unwanted", "NAG 3", "no guidance", "lower"),),
        suite="negative",
    )
)

CLAIMS.register("nag_fidelity")(
    Claim(
        method="nag",
        sentence="What the prompt says stays, and no more pictures are broken, where a negative prompt acts in "
        "attention.",
        source="arXiv:2505.21179",
        chosen=_CHOSEN,
        arms=_ARMS,
        conditions=(
            Condition("accuracy", "NAG 3", "no guidance", "no lower"),
            Condition("invalid", "NAG 3", "no guidance", "no higher"),
        ),
        remarks={
            "inconclusive": "What the prompt says stays. It breaks between none and eight pictures in a hundred more; "
            "so many prompts cannot tell more narrowly."
        },
        suite="negative",
    )
)
