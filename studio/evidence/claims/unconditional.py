"""Methods that mend the unconditional prediction: tangential damping and CFG-Zero*."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_CHOSEN = "Scale 3, twice the default and below where Stencil oversaturates, so that guidance matters; defaults else."

CLAIMS.register("tangential")(
    Claim(
        method="tangential",
        sentence="Damping the unconditional prediction off the common direction makes better pictures than "
        "classifier-free guidance of the same scale.",
        source="arXiv:2503.18137",
        chosen=_CHOSEN,
        arms={"TCFG 3": Arm(guided("tangential", guidance_scale=3.0)), "cfg 3": cfg(3.0)},
        conditions=(Condition("quality", "TCFG 3", "cfg 3", "higher"),),
        remarks={
            "inconclusive": "A little better on most counts, by less than these prompts can tell.",
        },
    )
)

CLAIMS.register("zero_star")(
    Claim(
        method="zero_star",
        sentence="A fitted unconditional scale and a first step that stands still make better pictures than "
        "classifier-free guidance of the same scale.",
        source="arXiv:2503.18886",
        chosen=_CHOSEN + " The paper's models are flows not trained to the end; Stencil is a diffusion model.",
        arms={"CFG-Zero* 3": Arm(guided("zero_star", guidance_scale=3.0)), "cfg 3": cfg(3.0)},
        conditions=(Condition("quality", "CFG-Zero* 3", "cfg 3", "higher"),),
        remarks={
            "holds": "Barely: the interval ends just above zero, and of so many claims one may hold by "
            "chance. The first step, which stands still, asks nothing of the network; that pays "
            "for one more.",
        },
    )
)
