"""CFG-MP and CFG-MP+: reductions, the operators, mixing on affine maps, cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import Guided, NoisePoint, Request, StepCtx, build, run_plan
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.cfg_mp import CFGManifoldProjection, ManifoldProjection
from studio.guidance.cfg_mp_plus import CFGManifoldProjectionPlus
from studio.guidance.diagnostics import observed
from studio.guidance.rescale import rescale
from tests.guidance.stepping import NEXT, Step, random
from tests.toys import latent_mixture

HIGH = NoisePoint(a=0.2, s=0.8, t=900.0)  # 0.8 as a flow
TOP = NoisePoint(a=0.03, s=0.97, t=990.0)  # 0.97
SWITCH = NoisePoint(a=0.05, s=0.95, t=980.0)  # where H begins
LOW = NoisePoint(a=0.5, s=0.5, t=500.0)
BOTH = pytest.mark.parametrize("method", [CFGManifoldProjection, CFGManifoldProjectionPlus])
MIXTURE = latent_mixture(spread=0.5)


def mixture(request: Request, x: Tensor, at: NoisePoint) -> Tensor:
    model = MIXTURE.given(1) if request.cond == "pos" else MIXTURE
    return model.x0(x, at.a, at.s)


def state(at: NoisePoint) -> Tensor:
    return at.a * MIXTURE.sample(3, seed=0) + at.s * random(5, shape=(3, 4, 4, 4))


def step_at(at: NoisePoint, kind: Parameterisation = "v_prediction") -> Step:
    return Step(mixture, state(at), kind, at)


def velocity(label: str, z: Tensor, at: NoisePoint) -> Tensor:
    """u of the mixture at z in flow coordinates."""
    x = z * (at.a + at.s)
    x0 = mixture(Request("", label), x, at)
    return (x - at.a * x0) / at.s - x0


def operator(z: Tensor, at: NoisePoint) -> Tensor:
    """G below 0.95, H from there, as the paper writes them; half a step long."""
    d = (NEXT.s_flow - at.s_flow) / 2
    if at.s_flow >= 0.95:
        y = z + d * velocity("pos", z, at)
        return y - d * velocity("empty", y, at)
    y = z - d * velocity("empty", z, at)
    return y + d * velocity("pos", y, at)


def guided_at(x: Tensor, at: NoisePoint, w: float) -> Tensor:
    return Step(mixture, x, "v_prediction", at).run(ClassifierFreeGuidance(guidance_scale=w)).x0


def same_as_cfg(guided: Guided, at: NoisePoint, w: float) -> None:
    assert guided.x is None
    torch.testing.assert_close(guided.x0, guided_at(state(at), at, w))


@BOTH
@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
def test_without_iterations_it_is_cfg(method: type[ManifoldProjection], w: float) -> None:
    same_as_cfg(step_at(HIGH).run(method(guidance_scale=w, iterations=0)), HIGH, w)


@BOTH
def test_at_and_below_the_threshold_it_is_cfg(method: type[ManifoldProjection]) -> None:
    same_as_cfg(step_at(LOW).run(method(guidance_scale=3.0)), LOW, 3.0)
    same_as_cfg(step_at(HIGH).run(method(guidance_scale=3.0, threshold=HIGH.s_flow)), HIGH, 3.0)
    same_as_cfg(step_at(TOP).run(method(guidance_scale=3.0, threshold=1.0)), TOP, 3.0)


@pytest.mark.parametrize("at", [HIGH, SWITCH, TOP])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_plain_iterations_of_the_operator(at: NoisePoint, kind: Parameterisation) -> None:
    """G or H as written, whatever the network predicts; then guidance where they lead."""
    guided = step_at(at, kind).run(CFGManifoldProjection(guidance_scale=3.0, iterations=3))
    z = state(at) / (at.a + at.s)
    for _ in range(3):
        z = operator(z, at)
    assert guided.x is not None
    torch.testing.assert_close(guided.x, z * (at.a + at.s))
    torch.testing.assert_close(guided.x0, guided_at(guided.x, at, 3.0))


def test_one_iteration_has_nothing_to_mix() -> None:
    plain = step_at(HIGH).run(CFGManifoldProjection(iterations=1))
    mixed = step_at(HIGH).run(CFGManifoldProjectionPlus(iterations=1))
    assert plain.x is not None and mixed.x is not None
    assert torch.equal(plain.x, mixed.x)


def test_without_a_window_mixing_is_plain() -> None:
    plain = step_at(HIGH).run(CFGManifoldProjection(iterations=3))
    mixed = step_at(HIGH).run(CFGManifoldProjectionPlus(iterations=3, window=0))
    assert plain.x is not None and mixed.x is not None
    assert torch.equal(plain.x, mixed.x)


def iterate(method: ManifoldProjection, z: Tensor, matrix: Tensor, goal: Tensor, count: int) -> list[Tensor]:
    """Iterates of z -> goal + matrix (z - goal), of fixed point `goal`."""
    zs, fs = [z], list[Tensor]()
    for _ in range(count):
        fs.append(goal + (zs[-1] - goal) @ matrix.mT - zs[-1])
        zs.append(method.advance(zs, fs))
    return zs


def test_mixing_solves_an_affine_map_of_one_dimension_at_once() -> None:
    z, goal = random(0, shape=(3, 1)), random(1, shape=(3, 1))
    slope = torch.tensor([[0.7]], dtype=torch.float64)
    method = CFGManifoldProjectionPlus(ridge=1e-6)
    torch.testing.assert_close(iterate(method, z, slope, goal, 2)[2], goal, rtol=1e-6, atol=1e-6)
    assert (iterate(CFGManifoldProjection(), z, slope, goal, 2)[2] - goal).abs().min() > 1e-3


@pytest.mark.parametrize("window", [2, 3])
def test_a_window_of_m_solves_m_dimensions(window: int) -> None:
    z, goal = random(0, shape=(3, window)), random(1, shape=(3, window))
    matrix = 0.4 * random(2, shape=(window, window))
    method = CFGManifoldProjectionPlus(window=window, ridge=1e-6)
    torch.testing.assert_close(iterate(method, z, matrix, goal, window + 1)[-1], goal, rtol=1e-4, atol=1e-4)


def test_mixing_by_the_closed_form_of_one_earlier_iterate() -> None:
    method = CFGManifoldProjectionPlus(damping=0.6, ridge=0.1)
    (z0, z1), (f0, f1) = (random(0), random(1)), (random(2), random(3))
    df = f1 - f0
    gamma = (df * f1).flatten(1).sum(1) / ((df * df).flatten(1).sum(1) + 0.1**2)
    now, before = z1 + 0.6 * f1, z0 + 0.6 * f0
    expected = now - gamma.reshape(-1, 1, 1, 1) * (now - before)
    torch.testing.assert_close(method.advance([z0, z1], [f0, f1]), expected)


def test_iterates_that_stand_still_are_mixed_without_nan() -> None:
    method = CFGManifoldProjectionPlus(window=3)
    same, still = random(0), torch.zeros_like(random(0))
    assert torch.equal(method.advance([same] * 4, [still] * 4), same)


def test_residuals_that_differ_along_one_line_are_mixed() -> None:
    """Three equal columns, so long that the least ridge is lost beside them; another sample's do not matter."""
    method = CFGManifoldProjectionPlus(window=3, ridge=1e-6)
    line = torch.cat([1e3 * random(0)[:1], random(0)[1:]])
    zs, fs = [random(1)] * 4, [line, line, line, torch.zeros_like(line)]
    mixed = method.advance(zs, fs)
    torch.testing.assert_close(mixed, random(1), rtol=1e-6, atol=1e-6)  # the last is a fixed point
    torch.testing.assert_close(mixed[1:], method.advance([z[1:] for z in zs], [f[1:] for f in fs]))


@BOTH
def test_each_sample_is_projected_alone(method: type[ManifoldProjection]) -> None:
    params: dict[str, Any] = {"iterations": 4}
    together = step_at(HIGH).run(method(**params))
    assert together.x is not None
    for k in range(3):
        alone = Step(mixture, state(HIGH)[k : k + 1], "v_prediction", HIGH).run(method(**params))
        assert alone.x is not None
        torch.testing.assert_close(together.x[k : k + 1], alone.x)


@BOTH
def test_the_projection_climbs_to_the_label(method: type[ManifoldProjection]) -> None:
    """The odds of the class at the projected state are better than where it came from: the sign is right."""
    guided = step_at(HIGH).run(method(iterations=3))
    assert guided.x is not None

    def odds(x: Tensor) -> Tensor:
        return MIXTURE.given(1).log_prob(x, HIGH.a, HIGH.s) - MIXTURE.log_prob(x, HIGH.a, HIGH.s)

    assert (odds(guided.x) > odds(state(HIGH))).all()


@BOTH
def test_tells_how_far_it_went(method: type[ManifoldProjection]) -> None:
    guided = step_at(HIGH).run(method(iterations=2))
    assert guided.diag.keys() == {"residual_0", "residual_1", "projection"}
    assert guided.x is not None
    moved = (guided.x - state(HIGH)).flatten(1).norm(dim=1) / state(HIGH).flatten(1).norm(dim=1)
    torch.testing.assert_close(guided.diag["projection"], moved)


@BOTH
@pytest.mark.parametrize(("at", "w", "rows"), [(HIGH, 3.0, 8), (HIGH, 1.0, 7), (LOW, 3.0, 2), (LOW, 1.0, 1)])
def test_cost(method: type[ManifoldProjection], at: NoisePoint, w: float, rows: int) -> None:
    made = method(guidance_scale=w, iterations=3)
    step = step_at(at)
    step.run(made, negatives=1)
    assert step.rows == made.rows(0, 20, at) == rows and step.widest == (1 if w == 1 else 2)
    assert set(step.conditions) <= {"pos", "neg/0"} and ("neg/0" in step.conditions) == (rows > 1)


@BOTH
@pytest.mark.parametrize("at", [LOW, HIGH, SWITCH, TOP])
def test_says_beforehand_which_prediction_goes_first(method: type[ManifoldProjection], at: NoisePoint) -> None:
    made, step = method(guidance_scale=3.0), step_at(at)
    step.run(made)
    told, asked = (
        [[r.cond for r in round] for round in each] for each in (made.rounds(StepCtx.ahead(0, 20, at)), step.rounds)
    )
    assert told == asked
    assert asked[0] == (["pos", "empty"] if at is LOW else ["empty"] if at is HIGH else ["pos"])


def test_a_wrapper_measures_against_the_prediction_made_where_the_projection_led() -> None:
    around = (WrapperSpec(wrapper="rescale", params={"phi": 1.0, "space": "x0"}),)
    made = step_at(HIGH).run(build(GuidanceSpec(method="cfg_mp", wrappers=around)))
    plain = step_at(HIGH).run(build(GuidanceSpec(method="cfg_mp")))
    assert plain.x is not None
    torch.testing.assert_close(made.x0, rescale(plain.x0, guided_at(plain.x, HIGH, 1.0), 1.0))


def test_a_sum_takes_the_conditional_prediction_from_where_the_step_begins() -> None:
    """Whichever of the two methods asks for it there; the other has moved on."""
    plain, c = guided_at(state(HIGH), HIGH, 3.0), guided_at(state(HIGH), HIGH, 1.0)
    projected = step_at(HIGH).run(build(GuidanceSpec(method="cfg_mp")))
    one, two = GuidanceSpec(method="cfg_mp"), GuidanceSpec(params={"guidance_scale": 3.0})
    for inner, added, base, other in ((one, two, projected.x0, plain), (two, one, plain, projected.x0)):
        around = (WrapperSpec(wrapper="sum", params={"weight": 0.5}, added=added),)
        both = step_at(HIGH).run(build(inner.model_copy(update={"wrappers": around})))
        torch.testing.assert_close(both.x0, base + 0.5 * (other - c))
        torch.testing.assert_close(both.x, projected.x)


@pytest.mark.parametrize(("w", "told"), [(1.0, False), (3.0, True)])
def test_predictions_of_two_places_are_not_compared(w: float, told: bool) -> None:
    """At scale 1 the last unconditional prediction is one on the way, of another state than the conditional."""
    method, step = CFGManifoldProjection(guidance_scale=w), step_at(HIGH)
    ctx = StepCtx(i=0, n=20, at=HIGH, at_next=NEXT, x=step.x, diagnose=True)
    diag = run_plan(observed(method, ctx), step._answer).diag  # pyright: ignore[reportPrivateUsage]
    assert ({"gap", "w_eff", "cos_cu"} <= set(diag)) == told == bool({"gap", "w_eff", "cos_cu"} & set(diag))
