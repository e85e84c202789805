"""Methods that promise high guidance scales without their colours: APG, frequency-decoupled, magnitude-aware."""

from studio.core.recipe import WrapperSpec
from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_SCALE = "Scale 6, well above 4, where Stencil begins to oversaturate; "

CLAIMS.register("apg")(
    Claim(
        method="apg",
        sentence="At a scale where plain guidance oversaturates, projecting its update keeps saturation down, with the "
        "prompt followed no worse.",
        source="arXiv:2410.02416",
        chosen=_SCALE + "everything else at its default.",
        arms={"apg 6": Arm(guided("apg", guidance_scale=6.0)), "cfg 6": cfg(6.0)},
        conditions=(
            Condition("saturation", "apg 6", "cfg 6", "lower"),
            Condition("accuracy", "apg 6", "cfg 6", "no lower"),
        ),
        remarks={
            "holds": "Its colours are nearer to those of the scenes themselves, and half as many of its "
            "pictures are broken.",
        },
    )
)

CLAIMS.register("frequency")(
    Claim(
        method="frequency",
        sentence="A high scale for fine detail with half of it for coarse structure saturates less than that scale for "
        "all, with the prompt followed no worse.",
        source="arXiv:2506.19713",
        chosen=_SCALE + "the coarse band has half of the fine one's, the ratio the paper is quoted with for SDXL.",
        arms={
            "fine 6, coarse 3": Arm(guided("frequency", high_scale=6.0, low_scale=3.0)),
            "cfg 6": cfg(6.0),
            "cfg 3": cfg(3.0),
        },
        conditions=(
            Condition("saturation", "fine 6, coarse 3", "cfg 6", "lower"),
            Condition("accuracy", "fine 6, coarse 3", "cfg 6", "no lower"),
        ),
    )
)

CLAIMS.register("magnitude")(
    Claim(
        method="magnitude",
        sentence="Damping the scale where the two predictions are far apart allows high scales with less saturation, "
        "and the prompt followed no worse.",
        source="arXiv:2508.03442",
        chosen=_SCALE + "damping at its default.",
        arms={"magnitude-aware 6": Arm(guided("magnitude", guidance_scale=6.0)), "cfg 6": cfg(6.0)},
        conditions=(
            Condition("saturation", "magnitude-aware 6", "cfg 6", "lower"),
            Condition("accuracy", "magnitude-aware 6", "cfg 6", "no lower"),
        ),
    )
)

CLAIMS.register("projection")(
    Claim(
        method="projection",
        sentence="It is the part of the update along the prediction that saturates: left alone it saturates more than "
        "the part across it.",
        source="arXiv:2410.02416, section 4",
        chosen=_SCALE + "one part at 1, the other at 0.",
        arms={
            "across alone": Arm(guided("projection", guidance_scale=6.0, parallel=0.0, orthogonal=1.0)),
            "along alone": Arm(guided("projection", guidance_scale=6.0, parallel=1.0, orthogonal=0.0)),
        },
        conditions=(Condition("saturation", "across alone", "along alone", "lower"),),
        remarks={
            "inconclusive": "The part along the prediction saturates more, by hardly enough to be told. What "
            "differs beyond doubt is in the table: that part clips more and costs the style, the "
            "part across it breaks more pictures.",
        },
    )
)

CLAIMS.register("threshold")(
    Claim(
        method="threshold",
        sentence="Clipping what guidance drives out of range leaves fewer pixels at the ends of the range at high "
        "scales, with the prompt followed no worse.",
        source="arXiv:2205.11487, section 2.3",
        chosen=_SCALE + "our form for latents, at its default: the paper's is for pixels.",
        arms={
            "cfg 6, thresholded": Arm(guided("cfg", WrapperSpec(wrapper="threshold"), guidance_scale=6.0)),
            "cfg 6": cfg(6.0),
        },
        conditions=(
            Condition("clipped", "cfg 6, thresholded", "cfg 6", "lower"),
            Condition("accuracy", "cfg 6, thresholded", "cfg 6", "no lower"),
        ),
        remarks={
            "does not hold": "It clips less, and takes a quarter of the contrast with it, far below that of the "
            "scenes: style and colour are read right less often. Our form for latents is not the "
            "paper's for pixels, where a clip hits what is out of range and nothing else.",
        },
    )
)

_HIGH = "Scale 15, where plain guidance breaks most pictures; "

CLAIMS.register("apg_high")(
    Claim(
        method="apg",
        sentence="At a very high scale, projecting the update keeps colours within the range that plain guidance "
        "drives them out of, with the prompt followed no worse.",
        source="arXiv:2410.02416",
        chosen=_HIGH + "everything else at its default.",
        arms={"apg 15": Arm(guided("apg", guidance_scale=15.0)), "cfg 15": cfg(15.0)},
        conditions=(
            Condition("clipped", "apg 15", "cfg 15", "lower"),
            Condition("accuracy", "apg 15", "cfg 15", "no lower"),
        ),
        remarks={
            "holds": "It keeps objects and backgrounds that plain guidance loses; still, at such a scale "
            "more than every third of its own pictures is broken.",
        },
    )
)

CLAIMS.register("frequency_high")(
    Claim(
        method="frequency",
        sentence="A very high scale for fine detail with half of it for coarse structure clips less than that scale "
        "for all, with the prompt followed no worse.",
        source="arXiv:2506.19713",
        chosen=_HIGH + "the coarse band has half of the fine one's.",
        arms={
            "fine 15, coarse 7.5": Arm(guided("frequency", high_scale=15.0, low_scale=7.5)),
            "cfg 15": cfg(15.0),
        },
        conditions=(
            Condition("clipped", "fine 15, coarse 7.5", "cfg 15", "lower"),
            Condition("accuracy", "fine 15, coarse 7.5", "cfg 15", "no lower"),
        ),
    )
)

CLAIMS.register("magnitude_high")(
    Claim(
        method="magnitude",
        sentence="Damping a very high scale where the two predictions are far apart clips less, with the prompt "
        "followed no worse.",
        source="arXiv:2508.03442",
        chosen=_HIGH + "damping at its default.",
        arms={"magnitude-aware 15": Arm(guided("magnitude", guidance_scale=15.0)), "cfg 15": cfg(15.0)},
        conditions=(
            Condition("clipped", "magnitude-aware 15", "cfg 15", "lower"),
            Condition("accuracy", "magnitude-aware 15", "cfg 15", "no lower"),
        ),
    )
)
