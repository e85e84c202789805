"""The beta grid, and the quantiles it is made of against closed forms and scipy."""

import math

import pytest

from studio.diffusion.grid import make_grid, trailing
from studio.diffusion.grid.beta_quantile import beta_quantile
from tests.diffusion.solving import SCHEDULE

# scipy 1.17.1, special.betaincinv at p = 0.001, 0.1, 0.5, 0.77, 0.999
SCIPY = {
    (0.6, 0.6): [1.855873851745199e-05, 0.03958440558878085, 0.5, 0.8461624142323502, 0.9999814412614826],
    (2.0, 5.0): [0.008255492787746678, 0.09259525891312873, 0.26444998329566005, 0.402118402610099, 0.818613866919134],
    (5.0, 0.3): [0.37320743522247657, 0.8271848541933152, 0.9844243296196308, 0.998880268353246, 0.999999999985031],
    (0.6, 1.7): [
        5.46449996798909e-06,
        0.011834154377310837,
        0.18752573459789912,
        0.43769962845592786,
        0.974469288069255,
    ],
}


@pytest.mark.parametrize(("alpha", "beta"), SCIPY)
def test_quantiles_are_scipys(alpha: float, beta: float) -> None:
    found = [beta_quantile(p, alpha, beta) for p in (0.001, 0.1, 0.5, 0.77, 0.999)]
    assert found == pytest.approx(SCIPY[alpha, beta], rel=1e-14)


@pytest.mark.parametrize("p", [0.0, 1e-6, 0.2, 0.5, 0.9, 1 - 1e-9, 1.0])
def test_quantiles_in_closed_form(p: float) -> None:
    assert beta_quantile(p, 1, 1) == pytest.approx(p, rel=1e-14)
    assert beta_quantile(p, 3, 1) == pytest.approx(p ** (1 / 3), rel=1e-14)
    assert beta_quantile(p, 0.5, 0.5) == pytest.approx(math.sin(math.pi * p / 2) ** 2, rel=1e-12)


def test_with_even_quantiles_the_times_are_even() -> None:
    grid = make_grid("beta", SCHEDULE, 20, alpha=1, beta=1)
    assert grid.timesteps == pytest.approx([999 * (1 - i / 20) for i in range(20)], rel=1e-12)


def test_times_crowd_at_both_ends() -> None:
    times, even = make_grid("beta", SCHEDULE, 20).timesteps, trailing(SCHEDULE, 20).timesteps
    assert times[0] == 999
    assert times[0] - times[1] < 0.5 * (even[0] - even[1]) and times[-2] - times[-1] < 0.8 * (even[-2] - even[-1])
    assert times[9] - times[10] > 1.1 * (even[9] - even[10])


def test_rounded_times_are_comfyuis() -> None:
    """Its formula for n = 10 over 1000 times: rint(999 * quantile(1 - i/10))."""
    expected = [999, 959, 876, 765, 637, 500, 362, 234, 123, 40]
    assert [round(t) for t in make_grid("beta", SCHEDULE, 10).timesteps] == expected
