"""Methods for few steps: CFG++ with five, Time-Shift with four; at their scales Stencil hardly gains from six on."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

CLAIMS.register("cfg_pp")(
    Claim(
        method="cfg_pp",
        sentence="With few steps, renoising with the unconditional prediction makes better pictures than "
        "classifier-free guidance.",
        source="arXiv:2406.08070",
        chosen="Five steps of DDIM. Weight 0.96: a step of CFG++ at weight l is one of plain guidance at scale "
        "l*a'/(a' - s'*a/s), whose mean over these steps is then 1.49; the other arm has 1.5.",
        arms={
            "CFG++ 0.96": Arm(guided("cfg_pp", weight=0.96), rows=10, sampler="ddim"),
            "cfg 1.5": cfg(1.5, rows=10, sampler="ddim"),
        },
        conditions=(Condition("quality", "CFG++ 0.96", "cfg 1.5", "higher"),),
        remarks={
            "does not hold": "At scales that match, the oracle reads nearly the same in both. The paper's case, "
            "high scales on a large model, is not Stencil's.",
        },
    )
)

CLAIMS.register("time_shift")(
    Claim(
        method="time_shift",
        sentence="With few steps, asking the network at the time each state's spread belongs to makes better pictures, "
        "at no cost.",
        source="arXiv:2305.15583",
        chosen="Four steps of DDIM at scale 2; window 30 and cutoff 300, the authors' for five steps.",
        arms={
            "time shift": Arm(guided("time_shift", guidance_scale=2.0, window=30, cutoff=300), rows=8, sampler="ddim"),
            "cfg 2": cfg(2.0, rows=8, sampler="ddim"),
        },
        conditions=(Condition("quality", "time shift", "cfg 2", "higher"),),
        remarks={
            "does not hold": "The network's time is moved by 15 of 1000 at most, and Stencil's pictures hardly "
            "change with that.",
        },
    )
)
