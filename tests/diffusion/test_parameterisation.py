"""Conversions: there and back, against the definitions, at every edge a schedule has."""

from typing import get_args

import pytest
import torch

from studio.diffusion.parameterisation import Parameterisation, Scalar, from_x0, to_eps, to_x0

KINDS: tuple[Parameterisation, ...] = get_args(Parameterisation)
VP = (0.6, 0.8)
FLOW = (0.3, 0.7)
ROWS = tuple(torch.tensor(each, dtype=torch.float64).reshape(2, 1, 1, 1) for each in ([0.9, 0.4], [0.1, 0.8]))


def tensors(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64, generator=generator).to(dtype)
    return first, second


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("a", "s"), [VP, FLOW, (1.0, 0.5), ROWS], ids=["vp", "flow", "edm", "per row"])
def test_there_and_back(kind: Parameterisation, a: Scalar, s: Scalar) -> None:
    x0, eps = tensors()
    x = a * x0 + s * eps
    raw = from_x0(kind, x0, x, a, s)
    torch.testing.assert_close(to_x0(kind, raw, x, a, s), x0, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(to_eps(kind, raw, x, a, s), eps, rtol=1e-12, atol=1e-12)


def test_raw_outputs_are_what_their_names_say() -> None:
    x0, eps = tensors()
    a, s = VP
    x = a * x0 + s * eps
    torch.testing.assert_close(from_x0("epsilon", x0, x, a, s), eps)
    torch.testing.assert_close(from_x0("v_prediction", x0, x, a, s), a * eps - s * x0)
    torch.testing.assert_close(from_x0("flow", x0, x, a, s), eps - x0)
    torch.testing.assert_close(from_x0("sample", x0, x, a, s), x0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_difference_of_predictions_changes_only_by_a_factor(kind: Parameterisation) -> None:
    """The table of section 0 of the guidance notes: D(x0) = factor * D(raw); so plain CFG is the same in any space."""
    a, s = FLOW
    factor = {"epsilon": -s / a, "v_prediction": -s / (a * a + s * s), "flow": -s / (a + s), "sample": 1.0}[kind]
    x, raw = tensors()
    other = raw.flip(0)
    difference = to_x0(kind, raw, x, a, s) - to_x0(kind, other, x, a, s)
    torch.testing.assert_close(difference, factor * (raw - other))


@pytest.mark.parametrize("kind", KINDS)
def test_pure_noise_gives_finite_data(kind: Parameterisation) -> None:
    x, raw = tensors(torch.float32)
    assert to_x0(kind, raw, x, 0.0, 1.0).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("a", [0.0, 5e-5, torch.tensor([0.0, 5e-5], dtype=torch.float64).reshape(2, 1, 1, 1)])
def test_pure_noise_leads_back_to_the_raw_output(kind: Parameterisation, a: Scalar) -> None:
    """For eps-models too, whose a is held on the way there and on the way back."""
    x, raw = tensors()
    x0 = to_x0(kind, raw, x, a, 1.0)
    torch.testing.assert_close(to_x0(kind, from_x0(kind, x0, x, a, 1.0), x, a, 1.0), x0, rtol=1e-9, atol=1e-9)
    if kind == "epsilon":
        torch.testing.assert_close(from_x0(kind, x0, x, a, 1.0), raw)


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_data_the_prediction_is_x(kind: Parameterisation) -> None:
    x, raw = tensors()
    if kind != "sample":
        torch.testing.assert_close(to_x0(kind, raw, x, 1.0, 0.0), x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_computed_in_float32_or_better(kind: Parameterisation, dtype: torch.dtype) -> None:
    x, raw = tensors(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    for convert in (to_x0, to_eps, from_x0):
        assert convert(kind, raw, x, *VP).dtype == wide
