"""When guidance acts: intervals of noise level, and scales that rise."""

from studio.core.recipe import WrapperSpec
from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_THREE = "Scale 3, twice the default and below where Stencil oversaturates, so that guidance matters; "

CLAIMS.register("interval")(
    Claim(
        method="interval_sigma",
        sentence="Guidance at middle noise levels alone is as good as at all of them, for fewer rows.",
        source="arXiv:2404.07724",
        chosen=_THREE + "noise levels 0.28 to 5.4, as the paper is quoted with for SDXL; 12 steps for both.",
        arms={
            "cfg 3 in the interval": Arm(
                guided("cfg", WrapperSpec(wrapper="interval_sigma"), guidance_scale=3.0), steps=12
            ),
            "cfg 3": cfg(3.0),
        },
        conditions=(Condition("quality", "cfg 3 in the interval", "cfg 3", "no lower"),),
    )
)

CLAIMS.register("schedule")(
    Claim(
        method="schedule",
        sentence="A scale that rises over the steps is better than a constant one of the same mean.",
        source="arXiv:2404.13040",
        chosen=_THREE + "the rising one goes linearly from 1 to 5.",
        arms={
            "cfg rising to 5": Arm(guided("cfg", WrapperSpec(wrapper="schedule"), guidance_scale=5.0), steps=12),
            "cfg 3": cfg(3.0),
        },
        conditions=(Condition("quality", "cfg rising to 5", "cfg 3", "higher"),),
        remarks={
            "does not hold": "If anything the rising scale is worse; probably because its high end falls on the "
            "low noise levels, where edges are finished and where Stencil breaks pictures at high "
            "scales.",
        },
    )
)
