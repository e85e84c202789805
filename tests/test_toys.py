"""The toys are the ground the other tests stand on, so they are checked against calculus."""

import pytest
import torch

from tests.toys import Gaussian, GaussianMixture, latent_mixture

LEVELS = [(0.9, 0.3), (0.6, 0.8), (0.05, 0.999)]


@pytest.mark.parametrize(("a", "s"), LEVELS)
def test_score_is_the_gradient_of_log_prob(a: float, s: float) -> None:
    mixture = latent_mixture()
    x = torch.randn(5, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_prob(x, a, s).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach(), a, s), gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("a", "s"), LEVELS)
def test_bayes_rule_joins_the_classes(a: float, s: float) -> None:
    mixture = latent_mixture()
    x = mixture.sample(6, seed=2)
    parts = torch.stack([mixture.given(label).log_prob(x, a, s) for label in (0, 1)])
    total = (parts + torch.tensor([[0.5], [0.5]], dtype=torch.float64).log()).logsumexp(0)
    torch.testing.assert_close(mixture.log_prob(x, a, s), total)


def test_one_component_is_the_gaussian() -> None:
    one = torch.ones(1, dtype=torch.float64)
    mixture = GaussianMixture(0.7 * torch.ones(1, 3, dtype=torch.float64), 0.5 * one, one, (0,))
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixture.x0(x, 0.8, 0.6), Gaussian(0.7, 0.5).x0(x, 0.8, 0.6))
