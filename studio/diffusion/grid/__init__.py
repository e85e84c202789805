"""Grids: the noise levels a sampler visits, from noise down to data. One file per way of placing them.

    from studio.diffusion.grid import make_grid
    grid = make_grid("karras", schedule, 20, rho=5)

The same name means different times in different libraries, so a grid is a value of its own and solvers are compared
on equal grids.
"""

from studio.core.registry import import_folder
from studio.diffusion.grid.base import GRIDS, Grid, GridMaker, make_grid, model_grid
from studio.diffusion.grid.levels import karras
from studio.diffusion.grid.times import leading, linspace, trailing

import_folder(__name__)

__all__ = [
    "GRIDS",
    "Grid",
    "GridMaker",
    "karras",
    "leading",
    "linspace",
    "make_grid",
    "model_grid",
    "trailing",
]
