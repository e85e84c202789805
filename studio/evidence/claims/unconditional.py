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
            "inconclusive": "Plain guidance at this scale gets nearly every picture right: there is little left to "
            "gain, and what is gained on some prompts is lost on others.",
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
            "inconclusive": "Not one reading differs. Plain guidance at this scale gets nearly every picture right, "
            "and Stencil is neither a flow nor stopped short in training, which is where the paper sees the "
            "gain.",
        },
    )
)
