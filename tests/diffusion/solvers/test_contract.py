"""What every solver must do, on every grid. A new file in studio/diffusion/solvers is tested here first."""

import inspect
import math

import pytest
import torch

from studio.core.errors import BadInput, NotFound
from studio.core.params import load, specs
from studio.diffusion.grid import GRIDS, Grid, make_grid, trailing
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.solvers import SOLVERS, Solver, build_solver
from tests.declared import not_mattering
from tests.diffusion.solving import COSINE, FLOW, LARGEST, SCHEDULE, mixture_x0, noises, run, start
from tests.tolerance import rounding

ZERO_SNR = NoiseSchedule.from_config(**COSINE, rescale_betas_zero_snr=True)


def variants() -> dict[str, Solver]:
    """Each solver as declared, and with each of its parameters at either end of its range."""
    found: dict[str, Solver] = {}
    for name, solver in SOLVERS.items():
        found[name] = solver()
        for spec in specs(solver):
            for value in spec.choices or ((True, False) if spec.kind == "bool" else (spec.low, spec.high)):
                if value is not None:
                    found[f"{name} {spec.name}={value}"] = load(solver, {spec.name: value}, name)
    return found


VARIANTS = variants()
everywhere = pytest.mark.parametrize("solver", VARIANTS.values(), ids=VARIANTS)
# Those whose fresh noise is meant to be as much as they took out.
BALANCED = {name: solver for name, solver in VARIANTS.items() if solver.model_dump().get("s_noise", 1.0) == 1}
balanced = pytest.mark.parametrize("solver", BALANCED.values(), ids=BALANCED)


def grid_of(name: str, n: int) -> Grid:
    schedule = SCHEDULE if isinstance(SCHEDULE, GRIDS.get(name).schedule_type) else FLOW
    return make_grid(name, schedule, n)


def fresh(solver: Solver, i: int, dtype: torch.dtype = torch.float32) -> torch.Tensor | None:
    return noises(i).to(dtype) if solver.needs_noise() else None


@pytest.mark.parametrize("name", SOLVERS.names())
class TestDeclaration:
    def test_says_what_it_is_called_and_where_it_comes_from(self, name: str) -> None:
        solver = SOLVERS.get(name)
        assert solver.label and solver.source and (inspect.getdoc(solver) or "").strip()

    def test_defaults_are_in_range_and_survive_a_record(self, name: str) -> None:
        solver = SOLVERS.get(name)
        assert build_solver(name, solver().model_dump()) == solver()

    def test_every_parameter_has_a_control(self, name: str) -> None:
        found = specs(SOLVERS.get(name))
        assert len(found) == len(SOLVERS.get(name).model_fields)
        for spec in found:
            assert spec.help, f"{spec.name} is not explained"
            if spec.kind in ("float", "int"):
                assert spec.low is not None and spec.high is not None and spec.step, f"{spec.name} makes no slider"

    def test_what_does_not_matter_changes_nothing(self, name: str) -> None:
        solver, grid = SOLVERS.get(name), grid_of("trailing", 6)
        for spec, others, two in not_mattering(specs(solver)):
            one, other = (run(load(solver, others | {spec.name: value}, name), grid, start()) for value in two)
            assert torch.equal(one, other), spec.name


def test_labels_are_unique() -> None:
    labels = [solver.label for _, solver in SOLVERS.items()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("grid_name", GRIDS.names())
@pytest.mark.parametrize("name", SOLVERS.names())
def test_runs_on_every_grid(name: str, grid_name: str) -> None:
    for n in (1, 2, 20):
        ended = run(SOLVERS.get(name)(), grid_of(grid_name, n), start())
        assert ended.isfinite().all() and ended.abs().max() < 10, n


# Of a run's nine steps, where what is left of the noise is the root of a difference of squares: a thousandth of them.
SQUARES = rounding(torch.float64, 9, 1e3)


def first_order(solver: Solver, x: torch.Tensor, x0: torch.Tensor, i: int, grid: Grid) -> torch.Tensor:
    """A step in the mean with x0 held fixed: the noise of x is scaled so that with the fresh noise it comes to s_n."""
    along = math.sqrt(max(grid.s[i + 1] ** 2 - solver.noise_sd(i, grid) ** 2, 0)) / grid.s[i]
    return grid.a[i + 1] * x0 + along * (x - grid.a[i] * x0)


@balanced
@pytest.mark.parametrize("grid_name", ["trailing", "karras", "flow"])
def test_a_constant_prediction_is_solved_exactly(solver: Solver, grid_name: str) -> None:
    """The ODE with x0 held fixed is linear, and every solver is exact on it, its fresh noise what it took out."""
    grid, x, state = grid_of(grid_name, 9), start(torch.float64), solver.init()
    fixed = torch.ones_like(x)
    for i in range(9):
        expected = first_order(solver, x, fixed, i, grid)
        torch.testing.assert_close(solver.peek(x, fixed, i, grid, state), expected, rtol=0, atol=SQUARES)
        x, state = solver.step(x, fixed, i, grid, state, fresh(solver, i, torch.float64))


@balanced
def test_a_first_step_and_one_after_a_reset_are_of_first_order(solver: Solver) -> None:
    grid, x = trailing(SCHEDULE, 20), start(torch.float64)
    for i in (0, 7, 18, 19):
        x0 = mixture_x0(x, grid.a[i], grid.s[i])
        expected = first_order(solver, x, x0, i, grid)
        torch.testing.assert_close(solver.peek(x, x0, i, grid, solver.init()), expected, rtol=0, atol=SQUARES)


@everywhere
def test_ends_on_the_last_prediction(solver: Solver) -> None:
    grid, x, state = trailing(SCHEDULE, 4), start(), solver.init()
    for i in range(3):
        x, state = solver.step(x, mixture_x0(x, grid.a[i], grid.s[i]), i, grid, state, fresh(solver, i))
    x0 = mixture_x0(x, grid.a[3], grid.s[3])
    ended, _ = solver.step(x, x0, 3, grid, state, fresh(solver, 3))
    assert torch.equal(ended, x0)


@everywhere
def test_peek_is_step_and_leaves_all_as_it_was(solver: Solver) -> None:
    grid, x, state = trailing(SCHEDULE, 6), start(), solver.init()
    for i in range(6):
        x0 = mixture_x0(x, grid.a[i], grid.s[i])
        still = torch.zeros_like(x) if solver.needs_noise() else None
        before = [tensor.clone() for tensor in (x, x0, *state)]
        peeked = solver.peek(x, 0.5 * x0, i, grid, state)
        assert not torch.equal(peeked, solver.peek(x, x0, i, grid, state))
        mean, _ = solver.step(x, x0, i, grid, state, still)
        assert torch.equal(mean, solver.peek(x, x0, i, grid, state))
        x_next, state_next = solver.step(x, x0, i, grid, state, fresh(solver, i))
        assert all(torch.equal(*pair) for pair in zip(before, (x, x0, *state), strict=True))
        x, state = x_next, state_next


@everywhere
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_keeps_dtype(solver: Solver, dtype: torch.dtype) -> None:
    ended = run(solver, trailing(SCHEDULE, 5), start(dtype))
    assert ended.dtype == dtype and ended.isfinite().all()


@everywhere
def test_each_sample_is_alone(solver: Solver) -> None:
    grid, x = trailing(SCHEDULE, 6), start(torch.float64)
    together = run(solver, grid, x)
    alone = [run(solver, grid, x[k : k + 1], samples=range(k, k + 1)) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=rounding(torch.float64, 6, LARGEST))


@everywhere
def test_repeats_itself_from_a_fresh_state(solver: Solver) -> None:
    grid = trailing(SCHEDULE, 6)
    assert torch.equal(run(solver, grid, start()), run(solver, grid, start()))


@everywhere
@pytest.mark.parametrize("grid", [make_grid("flow", FLOW, 6, shift=3), trailing(ZERO_SNR, 6)], ids=["flow", "vp"])
def test_starts_from_pure_noise(solver: Solver, grid: Grid) -> None:
    """a = 0 and log(a/s) infinite at the first level."""
    assert grid.a[0] == 0
    ended = run(solver, grid, start())
    assert ended.isfinite().all() and ended.abs().max() < 10


@everywhere
def test_noise_that_is_missing_or_of_another_shape_is_refused(solver: Solver) -> None:
    grid, x = trailing(SCHEDULE, 20), start()
    if not solver.needs_noise():
        assert solver.noise_sd(3, grid) == 0
        return
    for wrong in (None, x[:1]):
        with pytest.raises(ValueError, match="needs noise of shape"):
            solver.step(x, x, 3, grid, (), wrong)


def test_unknown_solvers_and_parameters_are_refused() -> None:
    with pytest.raises(NotFound, match="There is no sampler named 'eular', did you mean 'euler'"):
        build_solver("eular", {})
    with pytest.raises(BadInput, match="eta must be a number from 0 to 1, not 1.5"):
        build_solver("ddim", {"eta": 1.5})
    with pytest.raises(BadInput, match="The sampler unipc has no field 'ordre'; did you mean 'order'"):
        build_solver("unipc", {"ordre": 2})


@everywhere
def test_it_says_whether_it_goes_by_earlier_steps(solver: Solver) -> None:
    grid, x, state = grid_of("leading", 6), start(), solver.init()
    differs = False
    for i in range(5):
        x0 = mixture_x0(x, grid.a[i], grid.s[i])
        with_history, without = (solver.peek(x, x0, i, grid, memory) for memory in (state, solver.init()))
        differs = differs or not torch.equal(with_history, without)
        x, state = solver.step(x, x0, i, grid, state, fresh(solver, i))
    assert solver.keeps_history() == differs
