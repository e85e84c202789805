"""Negatives act only across the prompt's direction, each by its weight."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import Guided, NoisePoint, Request, StepCtx, run_plan
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.perp_neg import PerpNeg
from studio.guidance.vectors import dot
from tests.guidance.stepping import AT, NEXT, SHAPE, Step, by_condition, guide, random

C, U, N1, N2, X = (random(seed) for seed in range(5))


def guided(
    method: PerpNeg,
    *negatives: Tensor,
    weights: tuple[float, ...] = (),
    kind: Parameterisation = "sample",
    diagnose: bool = False,
) -> Guided:
    step = Step(by_condition({"pos": C, "empty": U, **{f"neg/{k}": n for k, n in enumerate(negatives)}}), X, kind)
    ctx = StepCtx(
        i=0, n=20, at=AT, at_next=NEXT, x=X, negatives=len(negatives), negative_weights=weights, diagnose=diagnose
    )
    made = run_plan(method.plan(ctx), step._answer)  # pyright: ignore[reportPrivateUsage]
    assert step.rows == 2 + len(negatives)
    return made


METHOD = PerpNeg(guidance_scale=4.0, negative_scale=1.5)
CFG = guide(ClassifierFreeGuidance(guidance_scale=4.0), C, U).x0


def test_without_negatives_it_is_cfg() -> None:
    torch.testing.assert_close(guided(METHOD).x0, CFG)


def test_scale_zero_is_cfg_and_asks_for_no_negative() -> None:
    step = Step(by_condition({"pos": C, "empty": U}), X, "sample")
    torch.testing.assert_close(step.run(PerpNeg(guidance_scale=4.0, negative_scale=0.0), negatives=2).x0, CFG)
    assert step.conditions == ["pos", "empty"]


@pytest.mark.parametrize("gram_schmidt", [False, True])
def test_a_parallel_negative_is_inert(gram_schmidt: bool) -> None:
    method = PerpNeg(guidance_scale=4.0, gram_schmidt=gram_schmidt)
    for factor in (-2.0, 0.0, 0.3, 1.0):  # 0 is the empty prompt, 1 the prompt itself
        torch.testing.assert_close(guided(method, U + factor * (C - U)).x0, CFG)


@pytest.mark.parametrize("gram_schmidt", [False, True])
def test_what_is_taken_away_is_orthogonal_to_the_prompt(gram_schmidt: bool) -> None:
    method = PerpNeg(guidance_scale=4.0, negative_scale=2.0, gram_schmidt=gram_schmidt)
    away = guided(method, N1, N2).x0 - CFG
    assert dot(away, C - U).abs().max() < 1e-9 and away.abs().max() > 1
    assert (dot(away, N1 - U) < 0).all()


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_formula_as_written(scale: float) -> None:
    """Both scales count: what a negative takes away grows with the scale of guidance, as the prompt's push does."""
    d, e = C - U, N1 - U
    along = torch.linalg.vecdot(e.flatten(1), d.flatten(1)) / torch.linalg.vecdot(d.flatten(1), d.flatten(1))
    expected = U + scale * (d - 1.5 * (e - along[:, None, None, None] * d))
    torch.testing.assert_close(guided(PerpNeg(guidance_scale=scale, negative_scale=1.5), N1).x0, expected)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_the_same_in_every_space(kind: Parameterisation) -> None:
    torch.testing.assert_close(guided(METHOD, N1, N2, kind=kind).x0, guided(METHOD, N1, N2).x0)


def test_order_does_not_matter() -> None:
    one = guided(METHOD, N1, N2, weights=(0.25, 0.75)).x0
    torch.testing.assert_close(one, guided(METHOD, N2, N1, weights=(0.75, 0.25)).x0)


def test_doubles_count_twice_or_once() -> None:
    once = guided(METHOD, N1).x0
    torch.testing.assert_close(guided(METHOD, N1, N1).x0 - CFG, 2 * (once - CFG))
    by_gs = PerpNeg(guidance_scale=4.0, negative_scale=1.5, gram_schmidt=True)
    torch.testing.assert_close(guided(by_gs, N1, N1).x0, once)


def test_weights_are_shares() -> None:
    parts = [guided(METHOD, negative).x0 - CFG for negative in (N1, N2)]
    made = guided(METHOD, N1, N2, weights=(0.25, 0.75)).x0 - CFG
    torch.testing.assert_close(made, 0.5 * parts[0] + 1.5 * parts[1])


def test_each_sample_is_alone() -> None:
    together = guided(METHOD, N1, N2).x0
    for k in range(SHAPE[0]):
        table = {"pos": C, "empty": U, "neg/0": N1, "neg/1": N2}

        def alone(request: Request, x: Tensor, at: NoisePoint, k: int = k, table: dict[str, Tensor] = table) -> Tensor:
            return table[request.cond][k : k + 1]

        single = Step(alone, X[k : k + 1], "sample").run(METHOD, negatives=2).x0
        torch.testing.assert_close(together[k : k + 1], single)


def test_diagnostics() -> None:
    diag = guided(METHOD, C, diagnose=True).diag
    torch.testing.assert_close(diag["overlap"], torch.ones(3, dtype=torch.float64))
    assert diag["perpendicular"].max() < 1e-6
    assert set(guided(METHOD, N1, N2, diagnose=True).diag) == set(PerpNeg.diagnostics)


def test_outside_its_window_a_negative_is_not_asked_and_the_others_keep_their_strength() -> None:
    """Shares of 0 say who is outside; that of the one inside is of all three."""
    step = Step(by_condition({"pos": C, "empty": U, "neg/1": N1}), X, "sample")
    ctx = StepCtx(i=0, n=20, at=AT, at_next=NEXT, x=X, negatives=3, negative_weights=(0.0, 0.5, 0.0), diagnose=True)
    alone = run_plan(METHOD.plan(ctx), step._answer)  # pyright: ignore[reportPrivateUsage]
    assert step.conditions == ["pos", "empty", "neg/1"]
    torch.testing.assert_close(alone.x0, guided(METHOD.model_copy(update={"negative_scale": 1.5 * 1.5}), N1).x0)
    torch.testing.assert_close(alone.diag, guided(METHOD, N1, diagnose=True).diag)


@pytest.mark.parametrize(
    ("weights", "uncond"),
    [((), "empty"), ((1.0,), "neg/0"), ((0.5, 0.5), "neg"), ((0.0, 0.5), "neg/1"), ((0.0, 0.0), "empty")],
)
def test_what_others_move_away_from(weights: tuple[float, ...], uncond: str) -> None:
    assert StepCtx.ahead(0, 20, AT, weights).uncond == uncond
