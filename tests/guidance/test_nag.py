"""Guidance in attention: its formula exactly, and what the method asks for with it and when."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.guidance import Guided, NoisePoint, Request, StepCtx, asks_of, build
from studio.guidance.attention import AttentionGuidance
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.nag import NormalizedAttentionGuidance
from tests.guidance.stepping import AT, Step, by_condition, guide, random
from tests.tolerance import rounding

EXACT = rounding(torch.float64, 20, 100)
PLUS, MINUS = random(1, shape=(3, 7, 12)), random(2, shape=(3, 7, 12))  # [rows, tokens, heads * d]


def attention(scale: float = 3.0, tau: float = 2.5, alpha: float = 0.5) -> AttentionGuidance:
    return AttentionGuidance("empty", scale, tau, alpha)


def length(z: Tensor) -> Tensor:
    return z.abs().sum(-1)


# -- the formula ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "tau", "alpha"), [(3.0, 2.5, 0.5), (9.0, 1.3, 0.25), (20.0, 1.0, 1.0)])
def test_the_formula_as_the_paper_writes_it(scale: float, tau: float, alpha: float) -> None:
    """Token by token, in plain numbers, with phi = scale - 1; some tokens reach the limit and some do not."""
    made = attention(scale, tau, alpha).guided(PLUS, MINUS)
    bounded = 0
    for plus, minus, out in zip(
        PLUS.flatten(0, 1).tolist(), MINUS.flatten(0, 1).tolist(), made.flatten(0, 1), strict=True
    ):
        away = [p + (scale - 1) * (p - n) for p, n in zip(plus, minus, strict=True)]
        r = sum(map(abs, away)) / sum(map(abs, plus))
        bounded += r > tau
        expected = [alpha * z * min(r, tau) / r + (1 - alpha) * p for z, p in zip(away, plus, strict=True)]
        torch.testing.assert_close(out, torch.tensor(expected, dtype=torch.float64), rtol=EXACT, atol=EXACT)
    assert bounded > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("off", [{"scale": 1.0}, {"alpha": 0.0}, {"scale": 1.0, "tau": 1.0, "alpha": 1.0}])
def test_off_it_gives_the_attention_to_the_prompt_bit_for_bit(off: dict[str, Any], dtype: torch.dtype) -> None:
    plus = PLUS.to(dtype)
    assert torch.equal(attention(**off).guided(plus, MINUS.to(dtype)), plus)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_of_two_equal_prompts_nothing_is_moved_bit_for_bit(dtype: torch.dtype) -> None:
    plus = PLUS.to(dtype)
    for tau in (1.0, 2.5):
        assert torch.equal(attention(11.0, tau, 1.0).guided(plus, plus), plus)


def test_without_a_limit_it_is_plain_extrapolation() -> None:
    made = attention(6.0, math.inf, 1.0).guided(PLUS, MINUS)
    torch.testing.assert_close(made, 6 * PLUS - 5 * MINUS, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("tau", [1.0, 1.7, 4.0])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_no_token_gets_longer_than_the_limit(tau: float, alpha: float) -> None:
    made = attention(50.0, tau, alpha).guided(PLUS, 3 * MINUS)
    ratio = length(made) / length(PLUS)
    assert (ratio <= tau * (1 + EXACT)).all()
    if alpha == 1:  # so far away, each is right at it
        torch.testing.assert_close(ratio, torch.full_like(ratio, tau), rtol=EXACT, atol=0)


def test_a_limit_keeps_the_direction() -> None:
    free, bounded = (attention(5.0, tau, 1.0).guided(PLUS, MINUS) for tau in (math.inf, 1.2))
    cosine = torch.cosine_similarity(free, bounded, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=EXACT, atol=0)


def test_more_scale_goes_on_the_same_way() -> None:
    """Away from the negative: with a limit that is not reached, in proportion to the scale less one."""
    moves = [attention(scale, math.inf, 0.5).guided(PLUS, MINUS) - PLUS for scale in (2.0, 5.0)]
    torch.testing.assert_close(moves[1], 4 * moves[0], rtol=EXACT, atol=EXACT)
    assert ((moves[0] * (PLUS - MINUS)).sum(-1) > 0).all()


def test_a_token_that_attends_to_nothing_stays_there() -> None:
    zero = torch.zeros_like(PLUS)
    assert torch.equal(attention().guided(zero, MINUS), zero)
    assert attention(2.0).guided(PLUS, 2 * PLUS).isfinite().all()  # extrapolated to nothing at all


def test_half_precision_is_computed_wide() -> None:
    """A sum of absolute values runs out of half precision's range long before the values do."""
    plus, minus = (1000 * torch.ones(1, 1, 1280, dtype=torch.float16) * sign for sign in (1, -1))
    made = attention(4.0, 2.0, 1.0).guided(plus, minus)
    assert made.dtype == torch.float16 and torch.equal(made, 2 * plus)


# -- the method -----------------------------------------------------------------------------------------------------


def asked(method: NormalizedAttentionGuidance, i: int = 10, negatives: int = 0) -> list[Request]:
    ((*requests,),) = method.rounds(StepCtx.ahead(i, 20, AT, (1 / negatives,) * negatives if negatives else ()))
    return requests


def test_at_scale_one_it_is_one_row_guided_in_attention() -> None:
    (request,) = asked(NormalizedAttentionGuidance(nag_scale=4.0, nag_tau=2.0, nag_alpha=0.25))
    assert request.cond == "pos" and request.attention == AttentionGuidance("empty", 4.0, 2.0, 0.25)
    assert NormalizedAttentionGuidance().nfe() == 1 and NormalizedAttentionGuidance(guidance_scale=3.0).nfe() == 2
    assert not asks_of(NormalizedAttentionGuidance()).unconditional  # so models without an unconditional branch take it


@pytest.mark.parametrize(("negatives", "cond"), [(0, "empty"), (1, "neg/0"), (2, "neg")])
def test_what_it_moves_away_from(negatives: int, cond: str) -> None:
    (request,) = asked(NormalizedAttentionGuidance(), negatives=negatives)
    assert request.attention is not None and request.attention.cond == cond


@pytest.mark.parametrize("off", [{"nag_scale": 1.0}, {"nag_alpha": 0.0}, {"start": 0.6, "stop": 0.6}, {"stop": 0.5}])
def test_where_it_does_nothing_the_row_is_a_plain_one(off: dict[str, float]) -> None:
    assert asked(NormalizedAttentionGuidance(**off), i=10) == [Request("cond", "pos")] or all(
        request.attention is None for request in asked(NormalizedAttentionGuidance(**off), i=10)
    )


def test_its_window_is_that_of_the_other_shares_of_steps() -> None:
    method = NormalizedAttentionGuidance(start=0.12, stop=0.5)
    acting = [i for i in range(20) if asked(method, i)[0].attention is not None]
    assert acting == list(range(2, 10))  # rounded down, as the windows of negative prompts


def network(request: Request, x: Tensor, at: NoisePoint) -> Tensor:
    if request.attention is not None:
        return random(3)
    return random(1) if request.cond == "pos" else random(2)


def guided(method: Any) -> Guided:
    return Step(network, random(50), "sample").run(method, i=10)


def test_beside_classifier_free_guidance_the_guided_row_takes_the_prompts_place() -> None:
    expected = guide(ClassifierFreeGuidance(guidance_scale=4.0), random(3), random(2)).x0
    torch.testing.assert_close(guided(NormalizedAttentionGuidance(guidance_scale=4.0)).x0, expected)
    step = Step(network, random(50), "sample")
    step.run(NormalizedAttentionGuidance(guidance_scale=4.0), i=10, negatives=1)
    (requests,) = step.rounds
    assert [(request.cond, request.attention is not None) for request in requests] == [("pos", True), ("neg/0", False)]


def test_alone_it_is_what_the_network_says() -> None:
    torch.testing.assert_close(guided(NormalizedAttentionGuidance()).x0, random(3))


def test_what_is_put_around_it_measures_by_its_own_prediction() -> None:
    """A rescale has the spread of the guided row to go back to, as in the authors' pipeline; an interval plain rows."""
    rescaled = guided(
        build(GuidanceSpec(method="nag", wrappers=(WrapperSpec(wrapper="rescale", params={"phi": 1.0}),)))
    )
    torch.testing.assert_close(rescaled.x0, random(3))
    interval = WrapperSpec(wrapper="interval", params={"start": 0.0, "stop": 0.5})
    torch.testing.assert_close(guided(build(GuidanceSpec(method="nag", wrappers=(interval,)))).x0, random(1))


@pytest.mark.parametrize("methods", [("nag", "cfg"), ("cfg", "nag")])
def test_in_a_sum_its_effect_is_counted_from_the_plain_prediction(methods: tuple[str, str]) -> None:
    first, second = (GuidanceSpec(method=name, params=_params(name)) for name in methods)
    spec = first.model_copy(update={"wrappers": (WrapperSpec(wrapper="sum", added=second),)})
    table = {"pos": random(1), "empty": random(2)}
    cfg = guide(ClassifierFreeGuidance(guidance_scale=4.0), table["pos"], table["empty"]).x0
    torch.testing.assert_close(guided(build(spec)).x0, random(3) + cfg - random(1))


def _params(name: str) -> dict[str, float | int | bool | str]:
    return {"guidance_scale": 4.0} if name == "cfg" else {}


def test_two_of_them_are_not_added() -> None:
    spec = GuidanceSpec(method="nag", wrappers=(WrapperSpec(wrapper="sum", added=GuidanceSpec(method="nag")),))
    with pytest.raises(
        BadInput, match="counted from the plain prediction for the prompt, and none of these methods asks"
    ):
        build(spec)


def test_a_schedule_fades_it_to_none() -> None:
    wrapper = WrapperSpec(wrapper="schedule", params={"parameter": "nag_scale", "curve": "linear"})
    method = build(GuidanceSpec(method="nag", wrappers=(wrapper,)))
    scales = [method.rounds(StepCtx.ahead(i, 21, AT))[0][0].attention for i in (0, 10, 20)]
    assert [None if found is None else found.scale for found in scales] == [None, 2.0, 3.0]


def test_it_says_what_it_does_in_a_line() -> None:
    assert NormalizedAttentionGuidance().describe() == "g = c+, attention scale 3, tau 2.5, alpha 0.5"
    beside = NormalizedAttentionGuidance(guidance_scale=2.0, stop=0.5)
    assert beside.describe() == "g = u + 2*(c+ - u), attention scale 3, tau 2.5, alpha 0.5, from 0 to 0.5 of the steps"
    assert NormalizedAttentionGuidance(nag_alpha=0.0).describe() == "g = c, attention as it is"


def test_answers_by_condition_are_enough_for_it() -> None:
    """As for every other method: by the condition alone, whatever happens in attention."""
    table = {"pos": random(1), "empty": random(2)}
    torch.testing.assert_close(
        Step(by_condition(table), random(50)).run(NormalizedAttentionGuidance()).x0, table["pos"]
    )
