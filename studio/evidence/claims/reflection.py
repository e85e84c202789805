"""Methods that move the state before each step: CFG-MP, CFG-MP+ and Z-Sampling, at equal work."""

from studio.evidence.claim import CLAIMS, Arm, Claim, Condition, Verdict, cfg, guided

_STEPS = (
    "At equal work the projections take half of the steps, and what they gain is what those steps were worth. "
    "That agrees with the independent measurement on SD 3.5, which found no gain at equal work, and leaves "
    "the paper's at more work untouched."
)
_CHOSEN = (
    "Scale 2 and all else at the method's defaults; DDIM in both arms, which keeps no history of states that are "
    "moved. Plain guidance spends the rows of the projections on steps."
)

_MIXED = " Mixing the iterations breaks a few more pictures here than plain ones do."
_EVEN = "A few steps that go forth and back are about as good as more than twice as many of plain guidance."

_REMARKS: tuple[tuple[str, str, str, dict[Verdict, str]], ...] = (
    ("cfg_mp", "CFG-MP", "arXiv:2601.21892", {"does not hold": _STEPS}),
    ("cfg_mp_plus", "CFG-MP+", "arXiv:2601.21892", {"does not hold": _STEPS + _MIXED}),
    ("z_sampling", "Z-Sampling", "arXiv:2412.10891", {"inconclusive": _EVEN}),
)
for _name, _label, _source, _remarks in _REMARKS:
    CLAIMS.register(_name)(
        Claim(
            method=_name,
            sentence=f"{_label} makes better pictures than classifier-free guidance of the same scale, at equal work.",
            source=_source,
            chosen=_CHOSEN,
            arms={f"{_label} 2": Arm(guided(_name), sampler="ddim"), "cfg 2": cfg(2.0, sampler="ddim")},
            conditions=(Condition("quality", f"{_label} 2", "cfg 2", "higher"),),
            remarks=_remarks,
        )
    )
