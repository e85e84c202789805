"""Diffusion as pure tensor math: what a network's output means, noise levels, grids of them, and solvers.

One convention for time, here and everywhere above: large t is noise, 0 is data, as in diffusers. A state is
`x = a*x0 + s*eps`, in the coordinates of the tensor that is fed to the network.
"""
