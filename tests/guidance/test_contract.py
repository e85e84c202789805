"""What every guidance method must do. A new file in studio/guidance is tested here before its author writes a line.

A method that rightly breaks a clause says so in one line beside `neutral`, and is excused here by name.
"""

import zlib

import pytest
import torch
from torch import Tensor

from studio.core.params import load, specs
from studio.diffusion.parameterisation import Kind
from studio.guidance import GUIDANCE, Guidance, Guided, NoisePoint, Request, State, StepCtx
from tests.declared import not_mattering
from tests.guidance.stepping import AT, Step, by_condition, random

KINDS: tuple[Kind, ...] = ("epsilon", "v_prediction", "flow", "sample")


def variants() -> dict[str, Guidance]:
    """Each method as declared, and with each of its parameters at either end of its range."""
    found: dict[str, Guidance] = {}
    for name, method in GUIDANCE.items():
        found[name] = method()
        for spec in specs(method):
            for value in spec.choices or (spec.low, spec.high):
                if value is not None:
                    found[f"{name} {spec.name}={value}"] = load(method, {spec.name: value}, name)
    return found


VARIANTS = variants()
everywhere = pytest.mark.parametrize("method", VARIANTS.values(), ids=VARIANTS)


def predictions(dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    return {cond: random(seed, dtype) for seed, cond in enumerate(("pos", "empty", "neg/0", "neg/1"))}


def three_steps(method: Guidance, samples: slice = slice(None)) -> list[Guided]:
    """Three steps of a run on the given samples, predictions changing from step to step."""
    outcomes: list[Guided] = []
    state: State = method.init(random(0)[samples].shape)
    for i in range(3):
        table = {cond: random(10 * i + seed)[samples] for seed, cond in enumerate(("pos", "empty"))}
        outcomes.append(Step(by_condition(table), random(100 + i)[samples]).run(method, state, i))
        state = outcomes[-1].state
    return outcomes


@pytest.mark.parametrize("name", GUIDANCE.names())
class TestDeclaration:
    def test_says_where_it_comes_from(self, name: str) -> None:
        method = GUIDANCE.get(name)
        assert method.source and (method.__doc__ or "").strip()
        assert method.native_space in ("any", "x0", "raw", "eps", "flow")

    def test_defaults_and_neutral_settings_are_in_range(self, name: str) -> None:
        method = GUIDANCE.get(name)
        assert load(method, method().model_dump(), name) == method()
        load(method, method.neutral, name)

    def test_every_parameter_has_a_control(self, name: str) -> None:
        found = specs(GUIDANCE.get(name))
        assert len(found) == len(GUIDANCE.get(name).model_fields)
        for spec in found:
            assert spec.help, f"{spec.name} is not explained"
            if spec.kind in ("float", "int"):
                assert spec.low is not None and spec.high is not None and spec.step, f"{spec.name} makes no slider"

    def test_what_does_not_matter_changes_nothing(self, name: str) -> None:
        method = GUIDANCE.get(name)

        def network(request: Request, x: torch.Tensor, at: NoisePoint) -> torch.Tensor:
            return random(zlib.crc32(f"{request.cond} {request.perturb} {request.model} {at}".encode()))

        for spec, others, two in not_mattering(specs(method)):
            one, other = (
                Step(network, random(50)).run(load(method, others | {spec.name: value}, name), i=10) for value in two
            )
            assert torch.equal(one.x0, other.x0), spec.name

    @pytest.mark.parametrize("kind", KINDS)
    def test_neutral_settings_give_the_conditional_prediction(self, name: str, kind: Kind) -> None:
        method = GUIDANCE.get(name)
        table = predictions()
        guided = Step(by_condition(table), random(50), kind).run(load(method, method.neutral, name))
        torch.testing.assert_close(guided.x0, table["pos"], rtol=1e-12, atol=1e-12)


@everywhere
@pytest.mark.parametrize("kind", KINDS)
def test_when_all_predictions_are_x_so_is_the_outcome(method: Guidance, kind: Kind) -> None:
    x = random(50)
    i = 10 if "first step" in method.excused else 0
    guided = Step(by_condition({"pos": x, "empty": x}), x, kind).run(method, i=i)
    tolerance = 1e-4 if "precision" in method.excused else 1e-10
    torch.testing.assert_close(guided.x0, x, rtol=tolerance, atol=tolerance)


@everywhere
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(method: Guidance, dtype: torch.dtype) -> None:
    guided = Step(by_condition(predictions(dtype)), random(50, dtype)).run(method)
    assert guided.x0.shape == random(50).shape and guided.x0.dtype == dtype
    assert guided.x0.isfinite().all()
    assert all(tensor.dtype in (torch.float32, torch.float64) for tensor in guided.state)


@everywhere
def test_inputs_are_left_alone(method: Guidance) -> None:
    table, x = predictions(), random(50)
    first = Step(by_condition(table), x, "sample").run(method)
    kept = [tensor.clone() for tensor in first.state]
    Step(by_condition(table), x, "sample").run(method, first.state, i=1)
    assert torch.equal(x, random(50))
    assert all(torch.equal(tensor, predictions()[cond]) for cond, tensor in table.items())
    assert all(torch.equal(*pair) for pair in zip(first.state, kept, strict=True))


@everywhere
def test_each_sample_of_a_batch_is_alone(method: Guidance) -> None:
    together = three_steps(method)
    tolerance = 1e-5 if "precision" in method.excused else 1e-12
    for sample in range(3):
        alone = three_steps(method, slice(sample, sample + 1))
        for batch, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batch.x0[sample : sample + 1], single.x0, rtol=tolerance, atol=tolerance)
            for batched, own in zip(batch.state, single.state, strict=True):
                torch.testing.assert_close(batched[sample : sample + 1], own, rtol=tolerance, atol=tolerance)


@everywhere
def test_repeats_itself_from_a_fresh_state(method: Guidance) -> None:
    before = method.model_dump()
    first, second = three_steps(method), three_steps(method)
    assert all(torch.equal(a.x0, b.x0) for a, b in zip(first, second, strict=True))
    assert method.model_dump() == before and not method.__pydantic_private__


@everywhere
def test_declared_cost_is_what_it_asks_for(method: Guidance) -> None:
    """tests/engine/test_guidance_cost.py counts what the batcher runs for it."""
    for i in (0, 2, 10, 19):
        step = Step(by_condition(predictions()), random(50))
        step.run(method, i=i)
        assert step.rows == method.rows(i, 20, AT) <= method.nfe()


@everywhere
@pytest.mark.parametrize("negatives", [0, 1, 2])
def test_what_it_says_it_will_ask_is_what_it_asks(method: Guidance, negatives: int) -> None:
    """Round by round: which conditions, of which network, and whether where the step begins."""

    def told(rounds: list[list[Request]], x: Tensor) -> list[list[tuple[object, ...]]]:
        return [[(r.name, r.cond, r.perturb, r.model, r.x is None or r.x is x) for r in asked] for asked in rounds]

    for i in (0, 2, 10, 19):
        step = Step(by_condition(predictions()), random(50))
        step.run(method, i=i, negatives=negatives)
        ahead = StepCtx.ahead(i, 20, AT, (1 / negatives,) * negatives if negatives else ())
        assert told(method.rounds(ahead), ahead.x) == told(step.rounds, step.x) and all(step.rounds)


@everywhere
@pytest.mark.parametrize("negatives", [0, 1, 2])
def test_only_conditions_that_exist_are_asked_for(method: Guidance, negatives: int) -> None:
    step = Step(by_condition(predictions()), random(50))
    step.run(method, negatives=negatives)
    assert set(step.conditions) <= {
        "pos",
        "empty",
        *(["neg"] if negatives else []),
        *(f"neg/{k}" for k in range(negatives)),
    }


@everywhere
@pytest.mark.parametrize("zero", ["pos", "empty", "both"])
def test_a_prediction_of_zero_gives_no_nan(method: Guidance, zero: str) -> None:
    if "zero predictions" in method.excused:
        pytest.skip(method.excused["zero predictions"])
    table = {cond: x0 * (cond != zero and zero != "both") for cond, x0 in predictions().items()}
    assert Step(by_condition(table), random(50), "sample").run(method).x0.isfinite().all()
