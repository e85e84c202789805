"""Methods that move the state before each step: CFG-MP, CFG-MP+ and Z-Sampling, at equal work."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, cfg, guided

_CHOSEN = (
    "Scale 2 and all else at the method's defaults; DDIM in both arms, which keeps no history of states that are "
    "moved. Plain guidance spends the rows of the projections on steps."
)

for _name, _label, _source in (
    ("cfg_mp", "CFG-MP", "arXiv:2601.21892"),
    ("cfg_mp_plus", "CFG-MP+", "arXiv:2601.21892"),
    ("z_sampling", "Z-Sampling", "arXiv:2412.10891"),
):
    CLAIMS.register(_name)(
        Claim(
            method=_name,
            sentence=f"{_label} makes better pictures than classifier-free guidance of the same scale, at equal work.",
            source=_source,
            chosen=_CHOSEN,
            arms={f"{_label} 2": Arm(guided(_name), sampler="ddim"), "cfg 2": cfg(2.0, sampler="ddim")},
            conditions=(Condition("quality", f"{_label} 2", "cfg 2", "higher"),),
        )
    )
