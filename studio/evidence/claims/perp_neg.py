"""Perp-Neg: what prompt and negative prompt share survives."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, guided

_CHOSEN = (
    "The negative prompt is the prompt's own scene in another style, so they share object, colour and background. "
    "Scale 3 and weight 1, the method's defaults, in both arms."
)

CLAIMS.register("perp_neg")(
    Claim(
        method="perp_neg",
        sentence="What a negative prompt shares with the prompt survives, where subtracting the negative prompt "
        "cancels it.",
        source="arXiv:2304.04968",
        chosen=_CHOSEN + " Against what the paper compares with, prompts subtracted as in arXiv:2206.01714.",
        arms={
            "Perp-Neg": Arm(guided("perp_neg", guidance_scale=3.0), negative="field"),
            "subtracted": Arm(guided("cfg", guidance_scale=3.0), negative="composed"),
        },
        conditions=(Condition("shared", "Perp-Neg", "subtracted", "higher"),),
    )
)

CLAIMS.register("perp_neg_field")(
    Claim(
        method="perp_neg",
        sentence="What a negative prompt shares with the prompt survives better than where the negative prompt stands "
        "in for the empty one, as in the usual field for it.",
        source="arXiv:2304.04968",
        chosen=_CHOSEN + " Against classifier-free guidance away from the negative prompt.",
        arms={
            "Perp-Neg": Arm(guided("perp_neg", guidance_scale=3.0), negative="field"),
            "negative prompt": Arm(guided("cfg", guidance_scale=3.0), negative="field"),
        },
        conditions=(Condition("shared", "Perp-Neg", "negative prompt", "higher"),),
    )
)
