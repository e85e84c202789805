"""Solvers: how the state goes from one noise level to the next. One file per solver.

    from studio.diffusion.solvers import SOLVERS, build_solver
    solver = build_solver("ddim", {"eta": 0.5})

Brings in torch, numpy and pydantic, and nothing heavier.
"""

from studio.core.registry import import_folder
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState, build_solver
from studio.diffusion.solvers.ddim import DDIM
from studio.diffusion.solvers.dpmpp_2m import DPMpp2M
from studio.diffusion.solvers.dpmpp_2m_sde import DPMpp2MSDE
from studio.diffusion.solvers.euler import Euler
from studio.diffusion.solvers.euler_ancestral import EulerAncestral
from studio.diffusion.solvers.unipc import UniPC

import_folder(__name__)

__all__ = [
    "DDIM",
    "SOLVERS",
    "DPMpp2M",
    "DPMpp2MSDE",
    "Euler",
    "EulerAncestral",
    "Solver",
    "SolverState",
    "UniPC",
    "build_solver",
]
