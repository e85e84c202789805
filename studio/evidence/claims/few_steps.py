"""Methods for few steps: CFG++ and Time-Shift, with six."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_ROWS = 12

CLAIMS.register("cfg_pp")(
    Claim(
        method="cfg_pp",
        sentence="With few steps, renoising with the unconditional prediction makes better pictures than "
        "classifier-free guidance.",
        source="arXiv:2406.08070",
        chosen="Six steps of DDIM. Weight 0.8: a step of CFG++ at weight l is one of plain guidance at scale "
        "l*a'/(a' - s'*a/s), whose mean over these steps is then 1.53; the other arm has 1.5.",
        arms={
            "CFG++ 0.8": Arm(guided("cfg_pp", weight=0.8), rows=_ROWS, sampler="ddim"),
            "cfg 1.5": cfg(1.5, rows=_ROWS, sampler="ddim"),
        },
        conditions=(Condition("quality", "CFG++ 0.8", "cfg 1.5", "higher"),),
        remarks={
            "inconclusive": "Six steps of plain guidance at this scale already draw nearly every picture whole: there"
            " is little left to gain. The paper's case, high scales on a large model, is not Stencil's.",
        },
    )
)

CLAIMS.register("time_shift")(
    Claim(
        method="time_shift",
        sentence="With few steps, asking the network at the time each state's spread belongs to makes better pictures, "
        "at no cost.",
        source="arXiv:2305.15583",
        chosen="Six steps of DDIM at the default scale; window 30 and cutoff 300, the authors' for five steps.",
        arms={
            "time shift": Arm(guided("time_shift", window=30, cutoff=300), rows=_ROWS, sampler="ddim"),
            "cfg 1.5": cfg(1.5, rows=_ROWS, sampler="ddim"),
        },
        conditions=(Condition("quality", "time shift", "cfg 1.5", "higher"),),
        remarks={
            "inconclusive": "Not one reading differs. Six steps already draw nearly every picture whole at this "
            "scale, and the network's time is moved by 15 of 1000 at most.",
        },
    )
)
