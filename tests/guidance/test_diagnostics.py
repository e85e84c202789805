"""The numbers told of a step are what they say, for every method, and cost nothing unless asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from studio.core.recipe import Recipe
from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import GUIDANCE, Guidance, Guided, StepCtx, build, run_plan
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.diagnostics import SHARED, first_sample, observed, quantities
from tests.guidance.stepping import AT, NEXT, Step, by_condition, random

C, U, X = random(0), random(1), random(2)
CTX = StepCtx(i=10, n=20, at=AT, at_next=NEXT, x=X, diagnose=True, peek=lambda x0: NEXT.a * x0 + NEXT.s * X)


def run(method: Guidance, ctx: StepCtx = CTX, kind: Parameterisation = "v_prediction", **table: torch.Tensor) -> Guided:
    step = Step(by_condition({"pos": C, "empty": U, **table}), X, kind)
    step.x = ctx.x
    return run_plan(observed(method, replace(ctx, state=method.init(ctx.x.shape))), step._answer)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("scale", [2.0, 7.5])
def test_of_plain_guidance_they_are_known(scale: float) -> None:
    diag = run(ClassifierFreeGuidance(guidance_scale=scale)).diag
    c, u = C.flatten(1), U.flatten(1)
    d, g = c - u, u + scale * (c - u)
    size = torch.linalg.vector_norm
    expected = {
        "cos_cu": torch.cosine_similarity(c, u),
        "gap": size(d, dim=1) / size(c, dim=1),
        "par_frac": torch.cosine_similarity(d, c),
        "w_eff": torch.full((3,), scale, dtype=torch.float64),
        "rel_update": (scale - 1) * size(d, dim=1) / size(c, dim=1),
        "norm_ratio": size(g, dim=1) / size(c, dim=1),
        "x0_std": g.std(1),
        "x0_absmax": g.abs().amax(1),
        "drift": (scale - 1) * (C - U).mean((2, 3)).square().mean(1).sqrt() / c.std(1),
        "beyond": ((g > c.amax(1, keepdim=True)) | (g < c.amin(1, keepdim=True))).double().mean(1),
    }
    assert diag.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(diag[name], value, msg=name)
    assert (diag["beyond"] > 0).all()


def test_the_turn_compares_with_the_step_before() -> None:
    first = run(ClassifierFreeGuidance(guidance_scale=3.0))
    assert "turn" not in first.diag
    again = run(ClassifierFreeGuidance(guidance_scale=5.0), replace(CTX, prev=first))
    torch.testing.assert_close(again.diag["turn"], torch.ones(3, dtype=torch.float64))
    back = run(ClassifierFreeGuidance(guidance_scale=0.0), replace(CTX, prev=first))
    torch.testing.assert_close(back.diag["turn"], -torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("name", GUIDANCE.names())
class TestEveryMethod:
    def test_tells_what_it_declares_per_sample(self, name: str) -> None:
        method = GUIDANCE.get(name)()
        assert not set(method.diagnostics) & set(SHARED)
        diag = run(method).diag
        assert set(diag) <= set(quantities(method)) and {"rel_update", "norm_ratio"} <= set(diag)
        for key, value in diag.items():
            assert value.shape == (3,) and value.isfinite().all(), key
        for sample in range(3):
            only = slice(sample, sample + 1)
            step = Step(by_condition({"pos": C[only], "empty": U[only]}), X[only])
            ctx = replace(CTX, x=X[only], state=method.init(X[only].shape))
            single = run_plan(observed(method, ctx), step._answer).diag  # pyright: ignore[reportPrivateUsage]
            for key, value in single.items():
                tolerance = 1e-4 if "precision" in method.excused else 1e-7
                torch.testing.assert_close(diag[key][only], value, rtol=tolerance, atol=tolerance)

    def test_says_nothing_unless_asked_and_changes_nothing(self, name: str) -> None:
        method = GUIDANCE.get(name)()
        quiet, told = run(method, replace(CTX, diagnose=False)), run(method)
        assert not quiet.diag and quiet.push is None
        assert torch.equal(quiet.x0, told.x0)

    def test_zero_predictions_give_finite_numbers(self, name: str) -> None:
        if "zero predictions" in GUIDANCE.get(name).excused:
            pytest.skip(GUIDANCE.get(name).excused["zero predictions"])
        zero = torch.zeros_like(C)
        for table in ({"pos": zero}, {"empty": zero}, {"pos": zero, "empty": zero}, {"empty": C}):
            diag = run(GUIDANCE.get(name)(), CTX, "sample", **table).diag
            assert all(value.isfinite().all() for value in diag.values())

    def test_quantities_are_labelled(self, name: str) -> None:
        for quantity in quantities(GUIDANCE.get(name)()).values():
            assert quantity.label and quantity.plot in ("line", "bar", "heat")

    def test_describes_itself_with_its_numbers(self, name: str) -> None:
        told = GUIDANCE.get(name)().describe()
        assert "=" in told and "\n" not in told and 10 < len(told) < 200
        assert "ClassVar" not in told and GUIDANCE.get(name).__name__ not in told


def test_a_wrapped_method_tells_too() -> None:
    wrappers = [{"wrapper": "rescale"}, {"wrapper": "sum", "added": {"method": "apg"}}]
    method = build(Recipe.load({"guidance": {"wrappers": wrappers}}).guidance)
    diag = run(method).diag
    assert {"step (added)", "gap", "w_eff"} <= set(diag) <= set(quantities(method))
    guided = run(method)
    assert guided.push is not None
    torch.testing.assert_close(guided.push, guided.x0 - C)


def test_outside_an_interval_the_effective_scale_is_left_out() -> None:
    wrappers = [{"wrapper": "interval", "params": {"stop": 0.0}}]
    diag = run(build(Recipe.load({"guidance": {"wrappers": wrappers}}).guidance)).diag
    assert "w_eff" not in diag and diag["rel_update"].abs().max() == 0


def test_plain_numbers_of_the_first_sample() -> None:
    assert first_sample({}) == {}
    two = {"a": torch.tensor([1.5, 2.0], dtype=torch.float64), "b": torch.tensor([0.25, 9.0])}
    assert first_sample(two) == {"a": 1.5, "b": 0.25}
