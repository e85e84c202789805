"""A group norm whose backward pass is a few whole-tensor operations.

On CPU torch's own backward takes a third of the autoencoder's step; written as two reductions and one affine
combination it is about four times faster. The forward pass and the gradients are the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        batch, channels = x.shape[:2]
        pixels = x[0, 0].numel()
        y, mean, rstd = torch.native_group_norm(x, weight, bias, batch, channels, pixels, groups, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.groups = groups
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        (dy,) = grads
        x, weight, mean, rstd = ctx.saved_tensors
        batch, channels = x.shape[:2]
        groups, group_size = ctx.groups, channels // ctx.groups
        count = x[0].numel() // groups
        space = tuple(range(2, x.dim()))
        sum_dy, sum_dyx = dy.sum(space), (dy * x).sum(space)  # [B, C]

        def spread(per_group: Tensor) -> Tensor:
            return per_group.repeat_interleave(group_size, 1)

        centred = sum_dyx - spread(mean) * sum_dy
        d_bias, d_weight = sum_dy.sum(0), (centred * spread(rstd)).sum(0)
        p = (weight * sum_dy).view(batch, groups, -1).sum(-1)
        q = (weight * centred).view(batch, groups, -1).sum(-1) * rstd
        shape = (batch, channels) + (1,) * len(space)
        of_x = spread(-rstd * rstd * q / count).view(shape)
        constant = spread((rstd * rstd * q * mean - rstd * p) / count).view(shape)
        dx = torch.addcmul(constant, x, of_x).addcmul_(dy, (spread(rstd) * weight).view(shape))
        return dx, d_weight, d_bias, None, None


def speed_up_group_norm(model: nn.Module) -> None:
    """Replace the forward of every GroupNorm in a model that is to be trained on CPU (in float32)."""

    def forward_of(norm: nn.GroupNorm) -> Any:
        return lambda x: _GroupNorm.apply(x.float(), norm.weight, norm.bias, norm.num_groups, norm.eps)

    for module in model.modules():
        if isinstance(module, nn.GroupNorm):
            module.forward = forward_of(module)
