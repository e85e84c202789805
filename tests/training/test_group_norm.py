"""The fast group norm is torch's group norm, forwards and backwards."""

import torch
from torch import nn

from studio.training.embedded.group_norm import speed_up_group_norm


def test_gradients_equal_torchs() -> None:
    torch.manual_seed(0)
    plain, fast = nn.GroupNorm(4, 12, eps=1e-5), nn.GroupNorm(4, 12, eps=1e-5)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    fast.load_state_dict(plain.state_dict())
    speed_up_group_norm(fast)
    x = torch.randn(3, 12, 7, 5) * 2 + 1
    seen = []
    for norm in (plain, fast):
        inputs = x.clone().requires_grad_()
        (norm(inputs) ** 3).sum().backward()
        assert inputs.grad is not None and norm.weight.grad is not None and norm.bias.grad is not None
        seen.append((inputs.grad, norm.weight.grad, norm.bias.grad))
    for expected, got in zip(*seen, strict=True):
        torch.testing.assert_close(got, expected, rtol=2e-4, atol=2e-3)


def test_it_works_inside_autocast_and_keeps_the_output() -> None:
    norm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8))
    x = torch.randn(2, 3, 9, 9)
    expected = norm(x)
    speed_up_group_norm(norm)
    torch.testing.assert_close(norm(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(x).dtype == torch.float32
