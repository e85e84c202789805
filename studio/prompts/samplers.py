"""Samplers and schedules by the names other programs give them, in every spelling in use.

"DPM++ 2M Karras", "dpmpp_2m_karras", "k_dpmpp_2m" and "DPMSolverMultistepScheduler" are one sampler. A schedule is a
word of its own ("Schedule type: Karras", "scheduler": "karras"), the end of a sampler's name, or not said, which is a
definite schedule too. Source: modules/sd_samplers_kdiffusion.py and sd_schedulers.py of the AUTOMATIC1111 web UI,
comfy/samplers.py of ComfyUI.
"""

from __future__ import annotations

import re

# Names without blanks, signs and case, where "++" is "pp" -> ours. A "k" in front is left out before.
SAMPLERS = {
    "ddim": "ddim",
    "ddimscheduler": "ddim",
    "euler": "euler",
    "eulerdiscrete": "euler",
    "eulerdiscretescheduler": "euler",
    "eulera": "euler_ancestral",
    "eulerancestral": "euler_ancestral",
    "eulerancestraldiscrete": "euler_ancestral",
    "eulerancestraldiscretescheduler": "euler_ancestral",
    "dpmpp2m": "dpmpp_2m",
    "dpmsolvermultistep": "dpmpp_2m",
    "dpmsolvermultistepscheduler": "dpmpp_2m",
    "dpmpp2msde": "dpmpp_2m_sde",
    "dpmpp2msdegpu": "dpmpp_2m_sde",
    "unipc": "unipc",
    "unipcmultistep": "unipc",
    "unipcmultistepscheduler": "unipc",
}
# Schedules that are one of our spacings. Uniform and Normal are k-diffusion's get_sigmas; Beta places levels.
SPACINGS = {
    "karras": "karras",
    "exponential": "exponential",
    "polyexponential": "exponential",
    "uniform": "linspace_fractional",
    "normal": "linspace_fractional",
    "native": "linspace_fractional",
    "simple": "trailing",
    "beta": "beta_levels",
}
_STRIDES = "taken as leading, whose times are one lower"
# Schedules that are nearly one of ours, and in what they differ.
NEARLY = {
    "sgmuniform": ("trailing", "taken as trailing, whose times differ by less than one of the training's"),
    "ddim": ("leading", _STRIDES),
    "ddimuniform": ("leading", _STRIDES),
}
# What is written for our spacings; the others are written by our own names.
SCHEDULE_TYPES = {
    "karras": "Karras",
    "exponential": "Exponential",
    "linspace_fractional": "Uniform",
    "trailing": "Simple",
    "beta_levels": "Beta",
}
# Sampler -> what the web UI takes where the schedule is "Automatic", and where none is said, as it was before 1.9.
AUTOMATIC = {
    "euler": "uniform",
    "euler_ancestral": "uniform",
    "dpmpp_2m": "karras",
    "dpmpp_2m_sde": "exponential",
    "ddim": "ddim",
}
UNSAID = dict.fromkeys(("euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde"), "uniform") | {"ddim": "ddim"}
# Ends of a sampler's name that say the schedule, the longest first. InvokeAI writes Karras as "_k".
_ENDS = sorted({*SPACINGS, *NEARLY} - {"ddim", "native"}, key=len, reverse=True)


def squashed(name: str) -> str:
    """A name without blanks, signs and case: "DPM++ 2M" and "dpmpp_2m" are both "dpmpp2m"."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))


def sampler_and_schedule(name: str) -> tuple[str | None, str | None]:
    """Another program's "DPM++ 2M Karras" as our sampler and a key of SPACINGS or NEARLY: ("dpmpp_2m", "karras").

    None for a sampler that is not known, and for a schedule that the name does not say.
    """
    plain = squashed(name)
    if name.lower().strip().endswith("_k"):
        plain = plain.removesuffix("k") + "karras"
    for end in ("", *_ENDS):
        front = plain.removesuffix(end)
        sampler = SAMPLERS.get(front) or SAMPLERS.get(front.removeprefix("k"))
        if sampler is not None and plain.endswith(end):
            return sampler, end or None
    return None, None


def schedule_of(spacing: str) -> str:
    """What the infotext of a picture says of our spacing."""
    return SCHEDULE_TYPES.get(spacing, spacing)


def spacing_of(schedule: str) -> str | None:
    """Our spacing of what `schedule_of` gave; None for what it cannot have given."""
    ours = {name: spacing for spacing, name in SCHEDULE_TYPES.items()}
    return ours.get(schedule, schedule if re.fullmatch(r"[a-z_]{1,40}", schedule) else None)
