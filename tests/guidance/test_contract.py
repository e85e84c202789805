"""What every guidance method must do. A new file in studio/guidance is tested here before its author writes a line.

A method that rightly breaks a clause says so in one line beside `neutral`, and is excused here by name.
"""

import zlib
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from studio.core.params import load, specs
from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import GUIDANCE, Guidance, Guided, NoisePoint, Pred, Request, State, StepCtx, run_plan
from tests.declared import not_mattering
from tests.guidance.stepping import AT, Step, by_condition, random
from tests.tolerance import rounding

# A step is some twenty operations on values of up to ten; in float64, a division by the a of nearly pure noise besides.
EXACT = rounding(torch.float64, 20, 1e4)
SINGLE = rounding(torch.float32, 20, 10)  # of methods that are excused from more
NOISY = NoisePoint(a=0.28, s=0.96, t=900.0)  # where also those act that leave the later steps alone
KINDS: tuple[Parameterisation, ...] = ("epsilon", "v_prediction", "flow", "sample")


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


def everywhere(clause: Callable[[Guidance], None]) -> Callable[[str], None]:
    """A clause is one test for each method, and goes over its settings as it does over kinds, types and conditions."""

    def test(name: str) -> None:
        for setting, method in VARIANTS.items():
            if setting.split(" ")[0] == name:
                try:
                    clause(method)
                except BaseException as error:
                    error.add_note(f"with {setting}")
                    raise

    test.__name__, test.__doc__ = clause.__name__, clause.__doc__
    return pytest.mark.parametrize("name", GUIDANCE.names())(test)


def predictions(dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    return {cond: random(seed, dtype) for seed, cond in enumerate(("pos", "empty", "neg/0", "neg/1"))}


def near(found: Tensor, expected: Tensor, tolerance: float, where: object) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance, msg=lambda text: f"{where}: {text}")


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

    def test_neutral_settings_give_the_conditional_prediction(self, name: str) -> None:
        method, table = GUIDANCE.get(name), predictions()
        for kind in KINDS:
            guided = Step(by_condition(table), random(50), kind).run(load(method, method.neutral, name))
            near(guided.x0, table["pos"], EXACT, kind)


@everywhere
def test_when_all_predictions_are_x_so_is_the_outcome(method: Guidance) -> None:
    x = random(50)
    i = 10 if "first step" in method.excused else 0
    for kind in KINDS:
        guided = Step(by_condition({"pos": x, "empty": x}), x, kind).run(method, i=i)
        near(guided.x0, x, SINGLE if "precision" in method.excused else EXACT, kind)


# Pure noise, where flows and schedules of zero terminal SNR begin, and next to it.
PURE = (NoisePoint(0.0, 1.0, 999.0), NoisePoint(5e-5, 1.0, 999.0))
SPACES = {
    name: method for name, method in VARIANTS.items() if " " not in name or "space=" in name or "rescale=1" in name
}


@pytest.mark.parametrize("method", SPACES.values(), ids=SPACES)
class TestAtEveryLevel:
    def test_equal_predictions_are_the_outcome(self, method: Guidance) -> None:
        for kind in KINDS:
            # An eps-model's noise is divided by 1e-4 in pure noise: too much for what is computed in float32.
            for at in (AT,) if kind == "epsilon" and "precision" in method.excused else (AT, *PURE):
                both = by_condition({"pos": random(0), "empty": random(0)})
                guided = Step(both, random(50), kind, at).run(method, i=10)
                near(guided.x0, random(0), SINGLE if "precision" in method.excused else EXACT, (kind, at))

    def test_float32_is_enough_in_pure_noise(self, method: Guidance) -> None:
        for kind in KINDS:
            made: list[Tensor] = []
            for dtype in (torch.float32, torch.float64):
                table = {cond: x0.float().to(dtype) for cond, x0 in predictions().items()}
                x = random(50).float().to(dtype)
                made.append(Step(by_condition(table), x, kind, PURE[0]).run(method, i=10).x0)
            assert made[0].isfinite().all(), kind
            if kind != "epsilon":  # of which pure noise says nothing
                near(made[0].double(), made[1], SINGLE, kind)

    def test_at_the_data_nothing_is_left_to_guide(self, method: Guidance) -> None:
        data, x = NoisePoint(1.0, 0.0, 0.0), random(50)
        ctx = StepCtx(i=10, n=20, at=data, at_next=data, x=x, state=method.init(x.shape), diagnose=True)
        if len(method.rounds(ctx)) > 1:
            pytest.skip("it moves along velocities, and no step begins at the data")
        raws = {"pos": random(0), "empty": random(1)}
        for kind in KINDS:

            def answer(asked: Sequence[Request], kind: Parameterisation = kind) -> dict[str, Pred]:
                return {r.name: Pred(kind, raws.get(r.cond, random(1)), x, data) for r in asked}

            guided = run_plan(method.plan(ctx), answer)
            assert guided.x0.isfinite().all(), kind
            if kind != "sample":  # any other raw output says that the data are x
                near(guided.x0, x, SINGLE if "precision" in method.excused else EXACT, kind)


# What works on the network's output itself; plain guidance is the same there as anywhere.
ON_RAW = {
    "apg space=raw",
    "magnitude space=raw",
    "tangential space=raw",
    "cfg rescale=1",
    *(f"diffusers_{name}{raw}" for name in ("apg", "apg_mix", "tangential", "zero_star") for raw in ("", " space=raw")),
    "diffusers_apg_mix adaptive_projected_guidance_rescale=100",
    "diffusers_cfg guidance_rescale=1",
    "diffusers_ltx2 space=raw",
}


@pytest.mark.parametrize("name", SPACES)
def test_what_the_network_puts_out_matters_only_to_what_works_on_that(name: str) -> None:
    """Of equal predictions of the data, whether told as noise, velocity or data, equal guidance is made."""
    table = {"pos": random(0), "empty": random(1)}
    made = torch.stack([Step(by_condition(table), random(50), kind).run(SPACES[name], i=10).x0 for kind in KINDS])
    apart = (made - made[0]).abs().max().item()
    assert apart > 0.1 if name in ON_RAW else apart < EXACT


@everywhere
def test_shape_and_dtype_are_kept(method: Guidance) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        guided = Step(by_condition(predictions(dtype)), random(50, dtype)).run(method)
        assert guided.x0.shape == random(50).shape and guided.x0.dtype == dtype
        assert guided.x0.isfinite().all(), dtype
        assert all(tensor.dtype in (torch.float32, torch.float64) for tensor in guided.state), dtype


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
    tolerance = SINGLE if "precision" in method.excused else EXACT
    for sample in range(3):
        alone = three_steps(method, slice(sample, sample + 1))
        for batch, single in zip(together, alone, strict=True):
            near(batch.x0[sample : sample + 1], single.x0, tolerance, sample)
            for batched, own in zip(batch.state, single.state, strict=True):
                near(batched[sample : sample + 1], own, tolerance, sample)


@everywhere
def test_repeats_itself_from_a_fresh_state(method: Guidance) -> None:
    before = method.model_dump()
    first, second = three_steps(method), three_steps(method)
    assert all(torch.equal(a.x0, b.x0) for a, b in zip(first, second, strict=True))
    assert method.model_dump() == before and not method.__pydantic_private__


@everywhere
def test_what_it_says_it_will_ask_and_cost_is_what_it_asks_and_costs(method: Guidance) -> None:
    """Round by round: which conditions, of which network, and whether where the step begins; and no others.

    tests/engine/test_guidance_cost.py counts what the batcher runs for it.
    """

    def told(rounds: list[list[Request]], x: Tensor) -> list[list[tuple[object, ...]]]:
        return [[(r.name, r.cond, r.perturb, r.model, r.x is None or r.x is x) for r in asked] for asked in rounds]

    for negatives, i in ((0, 0), (0, 2), (0, 10), (0, 19), (1, 0), (1, 10), (2, 0), (2, 10)):
        step = Step(by_condition(predictions()), random(50))
        step.run(method, i=i, negatives=negatives)
        ahead = StepCtx.ahead(i, 20, AT, (1 / negatives,) * negatives if negatives else ())
        assert told(method.rounds(ahead), ahead.x) == told(step.rounds, step.x) and all(step.rounds)
        existing = {"pos", "empty", *(["neg"] if negatives else []), *(f"neg/{k}" for k in range(negatives))}
        assert set(step.conditions) <= existing
        if negatives == 0:
            assert step.rows == method.rows(i, 20, AT) <= method.nfe()


@everywhere
def test_a_prediction_of_zero_gives_no_nan(method: Guidance) -> None:
    if "zero predictions" in method.excused:
        pytest.skip(method.excused["zero predictions"])
    for zeros in (("pos",), ("empty",), ("pos", "empty", "neg/0", "neg/1")):
        table = {cond: x0 * (cond not in zeros) for cond, x0 in predictions().items()}
        assert Step(by_condition(table), random(50), "sample").run(method).x0.isfinite().all(), zeros


@everywhere
def test_what_a_sampler_that_goes_by_earlier_steps_takes_wrong_is_said(method: Guidance) -> None:
    """The latents moved under it, or a prediction that is none, whatever the network says."""
    moves, is_mute = False, False
    for i in (0, 10):
        steps = [
            Step(
                by_condition({cond: random(seed + k) for k, cond in enumerate(("pos", "empty"))}), random(50), at=NOISY
            )
            for seed in (1, 3)
        ]
        first, second = (step.run(method, i=i) for step in steps)
        moves = moves or (first.x is not None and not torch.equal(first.x, steps[0].x))
        is_mute = is_mute or torch.equal(first.x0, second.x0)
    assert bool(method.breaks_history()) == (moves or is_mute)
