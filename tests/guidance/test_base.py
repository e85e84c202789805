"""The protocol: views of a prediction, names, rounds, building from a recipe, and a light import."""

import math
from typing import Any, ClassVar

import pytest
import torch

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.guidance import GUIDANCE, Guidance, Guided, NoisePoint, Pred, Preds, Request, StepCtx, build
from studio.guidance.base import Plan
from tests.guidance.stepping import AT, Step, by_condition, random


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow", "sample"])
def test_views_of_one_prediction(kind: Parameterisation) -> None:
    x0, eps = random(0), random(1)
    x = AT.a * x0 + AT.s * eps
    pred = Pred(kind, from_x0(kind, x0, x, AT.a, AT.s), x, AT)
    torch.testing.assert_close(pred.x0, x0)
    torch.testing.assert_close(pred.eps, eps)
    torch.testing.assert_close(pred.v, AT.a * eps - AT.s * x0)
    torch.testing.assert_close(pred.u, eps - x0)
    torch.testing.assert_close(pred.raw_of(x0), pred.raw)


def test_a_view_is_computed_once() -> None:
    pred = Pred("v_prediction", random(0), random(1), AT)
    assert pred.x0 is pred.x0


def test_predictions_by_name() -> None:
    pred = Pred("sample", random(0), random(1), AT)
    preds = Preds({"cond": pred})
    assert preds.cond is preds["cond"] is pred
    assert list(preds) == ["cond"] and len(preds) == 1
    with pytest.raises(AttributeError, match="no prediction named 'uncond'"):
        _ = preds.uncond
    with pytest.raises(KeyError):
        _ = preds["uncond"]


def test_half_log_snr() -> None:
    assert NoisePoint(0.8, 0.6, 400).lam == pytest.approx(math.log(4 / 3))
    assert NoisePoint(1.0, 0.0, 0).lam == math.inf
    assert NoisePoint(0.0, 1.0, 999).lam == -math.inf


@pytest.mark.parametrize(("negatives", "uncond"), [(0, "empty"), (1, "neg/0"), (2, "neg")])
def test_a_negative_prompt_takes_the_place_of_the_empty_one(negatives: int, uncond: str) -> None:
    step = Step(by_condition({"pos": random(0), "empty": random(1), "neg/0": random(2), "neg": random(2)}), random(3))
    step.run(build(GuidanceSpec()), negatives=negatives)
    assert step.conditions == ["pos", uncond]


class TwoRounds(Guidance):
    """Predicts, goes where that leads, predicts there, and moves the sampler: the shape of multi-round methods."""

    source: ClassVar[str] = "tests"
    neutral: ClassVar[dict[str, Any]] = {}
    native_space: ClassVar = "any"

    def nfe(self) -> int:
        return 2

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        return [[Request("here", "pos")], [Request("there", "empty", x=torch.empty(0), at=ctx.at_next)]]

    def plan(self, ctx: StepCtx) -> Plan:
        first = yield [Request("here", "pos")]
        assert ctx.peek is not None
        moved = ctx.peek(first["here"].x0)
        second = yield [Request("there", "empty", x=moved, at=ctx.at_next)]
        return Guided(second["there"].x0, state=(moved,), x=moved, diag={"rounds": torch.full((3,), 2.0)})


def test_a_plan_of_two_rounds() -> None:
    step = Step(lambda request, x, at: 0.5 * x / at.a, random(0), "v_prediction")
    guided = step.run(TwoRounds())
    assert step.rows == TwoRounds().nfe() and step.conditions == ["pos", "empty"]
    assert guided.x is not None and torch.equal(guided.x, guided.state[0])
    torch.testing.assert_close(guided.x0, 0.5 * guided.x / 0.8)


def test_build_fills_in_defaults() -> None:
    method = build(GuidanceSpec(method="cfg", params={"guidance_scale": 4}))
    assert method == GUIDANCE.get("cfg")(guidance_scale=4.0)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        (GuidanceSpec(method="apgg"), NotFound, "There is no guidance method named 'apgg', did you mean 'apg'?"),
        (
            GuidanceSpec(params={"guidance_scale": 31}),
            BadInput,
            "In the guidance method cfg, guidance_scale must be a number from 0 to 30, not 31.",
        ),
        (
            GuidanceSpec(params={"formulation": "new"}),
            BadInput,
            "In the guidance method cfg, formulation must be one of native, original, not 'new'.",
        ),
        (GuidanceSpec(params={"etta": 1}, method="apg"), BadInput, "The guidance method apg has no field 'etta'"),
    ],
)
def test_build_refuses_in_one_sentence(spec: GuidanceSpec, error: type[BadInput], sentence: str) -> None:
    with pytest.raises(error) as caught:
        build(spec)
    assert str(caught.value).startswith(sentence)
