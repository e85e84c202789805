"""Away from a degraded prediction, without classifier-free guidance: PAG, SEG, skip-layer, autoguidance."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_ALONE = "The method's defaults, without classifier-free guidance; the model alone gets steps for the same work."

_PUSH = (
    "The push is small and of its own kind. On noised renders (docs/design/0007-claims.md), c - d is a few "
    "hundredths of the prediction and nearly orthogonal to the direction of autoguidance, with which those of "
    "plain guidance and of skipped blocks agree to a good part. Our reading: what is undone in Stencil's "
    "attention is not what its errors are made of."
)

CLAIMS.register("pag")(
    Claim(
        method="pag",
        sentence="Without classifier-free guidance, perturbed attention leaves fewer broken pictures than the model "
        "alone.",
        source="arXiv:2403.17377",
        chosen=_ALONE,
        arms={"PAG 3": Arm(guided("pag")), "no guidance": cfg(1.0)},
        conditions=(Condition("invalid", "PAG 3", "no guidance", "lower"),),
        remarks={
            "inconclusive": _PUSH,
        },
    )
)

CLAIMS.register("seg")(
    Claim(
        method="seg",
        sentence="Without classifier-free guidance, blurred attention leaves fewer broken pictures than the model "
        "alone.",
        source="arXiv:2408.00760",
        chosen=_ALONE,
        arms={"SEG 3": Arm(guided("seg")), "no guidance": cfg(1.0)},
        conditions=(Condition("invalid", "SEG 3", "no guidance", "lower"),),
        remarks={
            "does not hold": _PUSH,
        },
    )
)

CLAIMS.register("slg")(
    Claim(
        method="slg",
        sentence="Skipping blocks in early steps, as a direction to move away from, leaves fewer broken pictures.",
        source="arXiv:2411.18664",
        chosen=_ALONE + " The paper skips layers of video transformers, Stencil its blocks half-way down.",
        arms={"SLG 2.8": Arm(guided("slg")), "no guidance": cfg(1.0)},
        conditions=(Condition("invalid", "SLG 2.8", "no guidance", "lower"),),
    )
)

CLAIMS.register("autoguidance")(
    Claim(
        method="autoguidance",
        sentence="Guidance away from an early checkpoint makes better pictures than the model alone, at equal work.",
        source="arXiv:2406.02507",
        chosen="Scale 2, its default, within the paper's 1.7 to 2.5; the model alone gets twice the steps.",
        arms={"autoguidance 2": Arm(guided("autoguidance")), "no guidance": cfg(1.0)},
        conditions=(Condition("quality", "autoguidance 2", "no guidance", "higher"),),
        remarks={
            "inconclusive": "It gets a little more right and breaks a few pictures less, by less than these "
            "prompts can tell. An earlier run, of 48 prompts and 20 steps, had found more; plain "
            "guidance gains more here at the same cost, and loses the variety that this keeps.",
        },
    )
)

CLAIMS.register("autoguidance_variety")(
    Claim(
        method="autoguidance",
        sentence="Guidance away from an early checkpoint keeps variety that classifier-free guidance of the same scale "
        "loses.",
        source="arXiv:2406.02507",
        chosen="Scale 2 for both; prompts that leave style, background and place open, so that there is variety to "
        "lose. The model alone is beside them to compare with.",
        suite="open",
        arms={"autoguidance 2": Arm(guided("autoguidance")), "cfg 2": cfg(2.0), "no guidance": cfg(1.0)},
        conditions=(Condition("diversity", "autoguidance 2", "cfg 2", "higher"),),
    )
)
