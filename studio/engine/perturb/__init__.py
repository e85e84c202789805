"""Perturbed rows beside plain ones, in one evaluation of the network.

    perturber = Perturber(unet, default=("mid_block",), name="stencil")
    with perturber.applied([None, Perturbation("identity")], (16, 16)):
        unet(...)                          # two rows, the second perturbed

Where no row is perturbed nothing is installed at all; where one is, hooks are, and go however the block is left. Rows
whose cross-attention is guided are beside them in the same way (CrossAttentionGuider).
"""

from studio.engine.perturb.blur import blur
from studio.engine.perturb.cross_attention import AttentionRow, CrossAttentionGuider
from studio.engine.perturb.layers import BlockFinder
from studio.engine.perturb.rows import Perturber

__all__ = ["AttentionRow", "BlockFinder", "CrossAttentionGuider", "Perturber", "blur"]
