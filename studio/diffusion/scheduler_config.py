"""Which grid and sampler a diffusers scheduler config asks for: `name, options = grid_for(config)`, for `make_grid`.

Needs no torch: the page shows what a model's config says before anything is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import Plain

# By scheduler class: the spacing it takes where its config names none, and the grid of each of its spacings.
_BY_N = {"trailing": "trailing", "leading": "leading", "linspace": "linspace"}
_BY_N_FRACTIONAL = {**_BY_N, "linspace": "linspace_fractional"}
_BY_N_PLUS_1 = {"trailing": "trailing", "leading": "leading_dpm", "linspace": "linspace_dpm"}
_SPACINGS: dict[str, tuple[str, dict[str, str]]] = {
    "DDIMScheduler": ("leading", _BY_N),
    "DDPMScheduler": ("leading", _BY_N),
    "PNDMScheduler": ("leading", _BY_N),
    "EulerDiscreteScheduler": ("linspace", _BY_N_FRACTIONAL),
    "EulerAncestralDiscreteScheduler": ("linspace", _BY_N_FRACTIONAL),
    "DPMSolverMultistepScheduler": ("linspace", _BY_N_PLUS_1),
    "UniPCMultistepScheduler": ("linspace", _BY_N_PLUS_1),
    "DEISMultistepScheduler": ("linspace", _BY_N_PLUS_1),
}
_LEVELS = {
    "use_karras_sigmas": "karras",
    "use_exponential_sigmas": "exponential",
    "use_lu_lambdas": "exponential",
    "use_beta_sigmas": "beta_levels",
}
# Settings that move the steps, each with the value that does not.
_STILL: dict[str, Any] = {
    "timestep_type": "discrete",
    "interpolation_type": "linear",
    "lambda_min_clipped": -math.inf,
    "sigma_min": None,
    "sigma_max": None,
    "shift_terminal": None,
    "invert_sigmas": False,
}
# By scheduler class, and algorithm where it has several.
_SAMPLERS = {
    "DDIMScheduler": "ddim",
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "UniPCMultistepScheduler": "unipc",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "DPMSolverMultistepScheduler sde-dpmsolver++": "dpmpp_2m_sde",
}
_FLOWS = {"DPMSolverMultistepScheduler": "flow_dpm", "UniPCMultistepScheduler": "flow_unipc"}


def grid_for(config: Mapping[str, Any]) -> tuple[str, dict[str, Plain]]:
    """Give the name and the options of the grid that the scheduler of this config places.

    config: a `scheduler_config.json`. Shifts that follow the size of the picture (use_dynamic_shifting) are not in
    it: give `flow` its shift, e^mu. diffusers ends on the lowest level instead of data where set_alpha_to_one is
    false or final_sigmas_type is "sigma_min"; our grids always end on data.
    Raises BadInput naming the scheduler class or the setting that no grid of ours places.
    """
    name = str(config.get("_class_name"))
    for key, still in _STILL.items():
        if config.get(key, still) not in (still, None):
            raise BadInput(f"A scheduler with {key} {config[key]!r} places steps that no grid here does.")
    if name == "FlowMatchEulerDiscreteScheduler" or config.get("use_flow_sigmas"):
        return _flow_grid_for(name, config)
    if name not in _SPACINGS:
        raise BadInput(f"The steps of the scheduler {name} are not known here.", f"Known are {', '.join(_SPACINGS)}.")
    default, grids = _SPACINGS[name]
    spacing = str(config.get("timestep_spacing", default))
    if spacing not in grids:
        raise BadInput(f"The timestep_spacing of a scheduler must be one of {', '.join(grids)}, not {spacing!r}.")
    for key in (key for key in _LEVELS if config.get(key)):
        if name == "EulerDiscreteScheduler" and spacing != "linspace":  # between the levels of the spacing's times
            raise BadInput(f"The levels of {name} with {key} and {spacing} spacing are not known here.")
        return _LEVELS[key], {}
    grid = grids[spacing]
    offset = config.get("steps_offset", 0)
    return grid, {"steps_offset": offset} if offset and grid.startswith("leading") else {}


def sampler_for(config: Mapping[str, Any]) -> str | None:
    """Give the name of the sampler that the scheduler of this config is; None for one that we do not have."""
    name, algorithm = str(config.get("_class_name")), str(config.get("algorithm_type", "dpmsolver++"))
    sampler = _SAMPLERS.get(f"{name} {algorithm}")
    if sampler is None and (name != "DPMSolverMultistepScheduler" or algorithm == "dpmsolver++"):
        sampler = _SAMPLERS.get(name)
    return sampler


def _flow_grid_for(name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Plain]]:
    for key in (*_LEVELS, *(["use_dynamic_shifting"] if name in _FLOWS else [])):
        if config.get(key):
            raise BadInput(f"A scheduler of a flow model with {key} set places steps that no grid here does.")
    if name == "FlowMatchEulerDiscreteScheduler":
        if config.get("use_dynamic_shifting"):
            return "flow", {}
        return "flow_euler", {"shift": config.get("shift", 1.0)}
    if name not in _FLOWS:
        raise BadInput(f"The steps of the scheduler {name} for flow models are not known here.")
    return _FLOWS[name], {"shift": config.get("flow_shift", 1.0)}
