"""Divergences in nats: of two Gaussians m²/2, of a model from itself nothing, never negative, of mixtures log p / q."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, from_x0, to_eps
from studio.diffusion.schedule import FlowSchedule, NoiseSchedule, Schedule
from studio.metrics import divergence
from tests.toys import Gaussian, latent_mixture

VP = NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000)
COSINE = NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000)
DIMS, MEAN = 4, 0.7
X0 = Callable[[Tensor, float, float], Tensor]


def kl(p: X0, q: X0, x0: Tensor, schedule: Schedule, kind: Parameterisation, t: Tensor, noise: Tensor) -> Tensor:
    """As a sum over the times t, for each of x0 [n, ...]; both asked through raw outputs of that kind."""
    widths = divergence.log_snr_widths(t, *schedule.at(t))
    total = torch.zeros(len(x0), dtype=torch.float64)
    for time, width in zip(t.tolist(), widths, strict=True):
        a, s = schedule.at(time)
        x = a * x0 + s * noise
        eps_p, eps_q = (to_eps(kind, from_x0(kind, model(x, a, s), x, a, s), x, a, s) for model in (p, q))
        total += divergence.nats(eps_p, eps_q, width.expand(len(x)))
    return total


@pytest.mark.parametrize(
    ("schedule", "kind", "t"),
    [
        (VP, "epsilon", torch.arange(1000.0, dtype=torch.float64)),
        (COSINE, "v_prediction", torch.arange(1000.0, dtype=torch.float64)),
        (FlowSchedule(), "flow", torch.linspace(1, 999, 999, dtype=torch.float64)),
    ],
)
def test_two_unit_gaussians_are_half_the_square_of_their_distance_apart(
    schedule: Schedule, kind: Parameterisation, t: Tensor
) -> None:
    """Exactly for each x0: the gap of their predictions does not depend on where they are asked."""
    p, q = Gaussian(MEAN, 1.0).x0, Gaussian(0.0, 1.0).x0
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(3, DIMS, 1, 1, dtype=torch.float64, generator=generator) for _ in range(2))
    there, back = (kl(*pair, x0, schedule, kind, t, noise) for pair in ((p, q), (q, p)))
    expected = torch.full((3,), DIMS * MEAN**2 / 2, dtype=torch.float64)
    torch.testing.assert_close(there, expected, rtol=0.01, atol=0)
    torch.testing.assert_close(back, expected, rtol=0.01, atol=0)
    assert divergence.fade(there.tolist(), back.tolist()) == pytest.approx((2 * expected).tolist(), rel=0.01)


def test_of_a_model_from_itself_it_is_nothing_and_it_is_never_negative() -> None:
    mixture = latent_mixture()
    first, second = mixture.given(0).x0, mixture.given(1).x0
    x0, noise = mixture.given(0).sample(64, 1), torch.randn(64, 4, 4, 4, dtype=torch.float64)
    t = torch.arange(0.0, 1000.0, 5.0, dtype=torch.float64)
    assert kl(first, first, x0, VP, "epsilon", t, noise).tolist() == [0.0] * 64
    apart = kl(first, second, x0, VP, "epsilon", t, noise)
    assert bool((apart >= 0).all()) and float(apart.mean()) > 1


def test_mixtures_agree_with_the_difference_of_log_probabilities() -> None:
    """KL = E log p - log q, which a mixture knows exactly: the integral comes to the same within its own interval."""
    mixture = latent_mixture(spread=0.3)
    p, q = mixture.given(0), mixture.given(1)
    x0 = p.sample(600, 2)
    exact = p.log_prob(x0, 1.0, 0.0) - q.log_prob(x0, 1.0, 0.0)
    noise = torch.randn(x0.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    t = torch.arange(0.0, 1000.0, 2.0, dtype=torch.float64)
    estimate, interval = divergence.mean_with_interval(kl(p.x0, q.x0, x0, VP, "epsilon", t, noise).tolist())
    low, high = divergence.mean_with_interval(exact.tolist())[1]
    assert interval.low <= estimate <= interval.high
    assert interval.low - (high - low) <= float(exact.mean()) <= interval.high + (high - low)


def test_stratified_levels_cover_the_range_once_each_and_their_mean_is_the_integral() -> None:
    levels = divergence.stratified(-10.0, 10.0, 64, 16, torch.Generator().manual_seed(0))
    width = 20 / 16
    assert levels.shape == (64, 16)
    parts = ((levels + 10) / width).floor().long()
    assert parts.tolist() == [list(range(16))] * 64
    a2 = torch.sigmoid(levels)  # of unit Gaussians m apart the gap is a² s² m²
    estimates = (0.5 * width * (a2 * (1 - a2) * MEAN**2)).sum(1)
    # each stratum's error has mean 0: three standard errors of what is seen
    error = float(estimates.std()) / 8
    assert abs(float(estimates.mean()) - MEAN**2 / 2) < 3 * error + 1e-4
    again = divergence.stratified(-10.0, 10.0, 64, 16, torch.Generator().manual_seed(0))
    assert torch.equal(levels, again)


def test_all_noise_and_all_data_have_a_finite_log_snr() -> None:
    a = torch.tensor([0.0, 0.5**0.5, 1.0])
    assert divergence.log_snr(a, (1 - a**2).sqrt()).tolist() == pytest.approx([-10.0, 0.0, 10.0], abs=1e-6)


def test_intervals_are_over_pictures_and_a_ratio_is_paired() -> None:
    mean, interval = divergence.mean_with_interval([1.0, 2.0, 3.0])
    assert mean == 2.0 and 1.0 <= interval.low < 2.0 < interval.high <= 3.0
    ratio, interval = divergence.ratio_with_interval([2.0, 20.0, 200.0], [1.0, 10.0, 100.0])
    assert ratio == 2.0 and interval == pytest.approx((2.0, 2.0))
    with pytest.raises(ValueError, match="no distance"):
        divergence.ratio_with_interval([1.0], [0.0])
    with pytest.raises(ValueError):
        divergence.fade([1.0], [1.0, 2.0])
