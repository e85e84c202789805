"""Reflections: coordinates, the identity of equal constant fields, and orders of the error on affine ones."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from studio.guidance import NoisePoint, Pred
from studio.guidance.reflection import Asking, Field, from_flow, guided_by, reflect, to_flow
from tests.guidance.stepping import AT, NEXT, random


def affine(slope: float, shift: Tensor) -> Field:
    """u(x, at) = slope*x + shift + s; asks nothing."""

    def field(x: Tensor, at: NoisePoint) -> Asking:
        yield []
        return slope * x + shift + at.s_flow

    return field


def run(asking: Asking) -> Tensor:
    answers: Mapping[str, Pred] = {}
    try:
        next(asking)
        while True:
            asking.send(answers)
    except StopIteration as end:
        return end.value


def displacement(d: float, forward: Field, inverse: Field, forward_first: bool, at_y: NoisePoint = AT) -> Tensor:
    return run(reflect(random(0), d, AT, at_y, forward, inverse, forward_first))


def test_flow_coordinates() -> None:
    x0, eps = random(0), random(1)
    x = to_flow(AT.a * x0 + AT.s * eps, AT)
    assert AT.s_flow == pytest.approx(0.8 / 1.4)
    torch.testing.assert_close(x, (1 - AT.s_flow) * x0 + AT.s_flow * eps)
    torch.testing.assert_close(from_flow(x, AT, torch.float64), AT.a * x0 + AT.s * eps)
    assert to_flow(random(0, torch.float16), AT).dtype == torch.float32
    assert from_flow(x, AT, torch.float16).dtype == torch.float16


@pytest.mark.parametrize("forward_first", [True, False])
def test_equal_constant_fields_lead_back(forward_first: bool) -> None:
    field = affine(0.0, random(1))
    torch.testing.assert_close(displacement(-0.3, field, field, forward_first), torch.zeros_like(random(0)))


def test_the_two_orders_as_written() -> None:
    forward, inverse, x, d = affine(1.5, random(1)), affine(-0.5, random(2)), random(0), -0.3
    y = x + d * run(forward(x, AT))
    torch.testing.assert_close(displacement(d, forward, inverse, True), y - d * run(inverse(y, AT)) - x)
    y = x - d * run(inverse(x, AT))
    torch.testing.assert_close(displacement(d, forward, inverse, False), y + d * run(forward(y, AT)) - x)


@pytest.mark.parametrize("forward_first", [True, False])
def test_no_step_leads_nowhere(forward_first: bool) -> None:
    assert not displacement(0.0, affine(2.0, random(1)), affine(-1.0, random(2)), forward_first).any()


@pytest.mark.parametrize("forward_first", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_the_error_is_of_second_order(forward_first: bool, same: bool) -> None:
    """z - x = d*(fwd - inv) + O(d²), with one field as with two: halving d quarters what is left."""
    forward = affine(1.5, random(1))
    inverse = forward if same else affine(-0.5, random(2))
    first = (1.5 + 0.5) * random(0) + random(1) - random(2) if not same else torch.zeros_like(random(0))
    rest = [(displacement(d, forward, inverse, forward_first) - d * first).norm().item() for d in (-0.02, -0.01)]
    assert rest[0] / rest[1] == pytest.approx(4, rel=0.1) and rest[1] > 0


def test_the_second_field_is_asked_at_the_level_given() -> None:
    field = affine(0.0, random(1))
    moved = displacement(-0.1, field, field, True, at_y=NEXT)
    torch.testing.assert_close(moved, torch.full_like(moved, -0.1 * (AT.s_flow - NEXT.s_flow)))


@pytest.mark.parametrize(("scale", "names"), [(0.0, ["uncond"]), (1.0, ["cond"]), (3.0, ["cond", "uncond"])])
def test_a_guided_field(scale: float, names: list[str]) -> None:
    x, c, u = random(0), random(1), random(2)
    asking = guided_by(scale, "neg/0", torch.float64)(to_flow(x, AT), AT)
    requests = next(asking)
    assert [request.name for request in requests] == names
    assert {request.cond for request in requests} <= {"pos", "neg/0"} and all(r.at is AT for r in requests)
    answers: dict[str, Pred] = {}
    for request in requests:
        assert request.x is not None
        torch.testing.assert_close(request.x, x)
        answers[request.name] = Pred("sample", c if request.name == "cond" else u, request.x, AT)
    with pytest.raises(StopIteration) as end:
        asking.send(answers)
    expected = Pred("sample", u + scale * (c - u), x, AT).u
    torch.testing.assert_close(end.value.value, expected)
