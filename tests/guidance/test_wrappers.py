"""What is put around a method: when it acts, how strongly, what becomes of its outcome, and what a recipe may say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch

from studio.core.errors import BadInput, NotFound
from studio.core.params import specs
from studio.core.recipe import GuidanceSpec, Recipe, WrapperSpec
from studio.guidance import GUIDANCE, Guidance, Guided, NoisePoint, State, build
from studio.guidance.base import OneRound, Preds, StepCtx
from studio.guidance.building import spoken
from studio.guidance.rescale import rescale
from studio.guidance.schedule import Schedule
from studio.guidance.wrapper import WRAPPERS
from tests.declared import not_mattering
from tests.guidance.stepping import AT, Step, by_condition, random
from tests.tolerance import rounding

N = 20
CFG = {"guidance_scale": 4.0}


def wrapped(*wrappers: dict[str, Any], method: str = "cfg", params: dict[str, Any] | None = None) -> Guidance:
    values = {"method": method, "params": CFG if params is None else params, "wrappers": wrappers}
    return build(Recipe.load({"guidance": values}).guidance)


def run(method: Guidance, i: int = 0, at: NoisePoint = AT, state: State | None = None) -> tuple[Guided, int]:
    """One step with four random predictions; the outcome, and the rows it asked for."""
    table = {name: random(10 * i + seed) for seed, name in enumerate(("pos", "empty"))}
    step = Step(by_condition(table), random(100 + i), at=at)
    return step.run(method, state, i), step.rows


def assert_same(one: Guided, two: Guided, tolerance: float = 0.0) -> None:
    torch.testing.assert_close(one.x0, two.x0, rtol=tolerance, atol=tolerance)


def refusal(*wrappers: dict[str, Any], **values: Any) -> str:
    with pytest.raises(BadInput) as caught:
        wrapped(*wrappers, **values)
    return str(caught.value)


ALL = {
    **{name: {"wrapper": name} for name in WRAPPERS.names() if name != "sum"},
    "sum": {"wrapper": "sum", "added": {"method": "apg"}},
    "pixel": {"wrapper": "threshold", "params": {"form": "pixel"}},
    "curve": {"wrapper": "schedule", "params": {"curve": "points", "points": "0:1, 0.5:2, 1:0"}},
}


@pytest.mark.parametrize("method", GUIDANCE.names())
class TestEveryWrapperAroundEveryMethod:
    def built(self, method: str) -> Iterator[tuple[str, Guidance]]:
        """Each by its name in ALL."""
        for name, wrapper in ALL.items():
            if wrapper["wrapper"] == "schedule":
                names = [spec.name for spec in specs(GUIDANCE.get(method)) if spec.kind == "float"]
                if "guidance_scale" not in names:
                    wrapper = {**wrapper, "params": {**wrapper.get("params", {}), "parameter": names[0]}}
            yield name, wrapped(wrapper, method=method, params={})

    def test_keeps_shape_dtype_and_inputs(self, method: str) -> None:
        for name, guidance in self.built(method):
            for dtype in (torch.float16, torch.float64):
                table, x = {"pos": random(0, dtype), "empty": random(1, dtype)}, random(2, dtype)
                guided = Step(by_condition(table), x).run(guidance, i=9)
                assert guided.x0.shape == x.shape and guided.x0.dtype == dtype and guided.x0.isfinite().all(), name
                assert torch.equal(table["pos"], random(0, dtype)) and torch.equal(x, random(2, dtype)), name

    def test_each_sample_is_alone_and_state_starts_fresh(self, method: str) -> None:
        for name, guidance in self.built(method):
            self.alone(name, guidance, "precision" in GUIDANCE.get(method).excused)

    def alone(self, name: str, guidance: Guidance, single: bool) -> None:
        runs: list[list[Guided]] = []
        for sample in (slice(None), slice(1, 2)):
            state, outcomes = guidance.init(random(0)[sample].shape), list[Guided]()
            for i in range(3):
                table = {name: random(10 * i + seed)[sample] for seed, name in enumerate(("pos", "empty"))}
                outcomes.append(Step(by_condition(table), random(100 + i)[sample]).run(guidance, state, i))
                state = outcomes[-1].state
            runs.append(outcomes)
        tolerance = rounding(torch.float32 if single else torch.float64, 20, 10)
        for batch, own in zip(*runs, strict=True):
            torch.testing.assert_close(
                batch.x0[1:2], own.x0, rtol=tolerance, atol=tolerance, msg=lambda text: f"{name}: {text}"
            )

    def test_costs_what_it_says(self, method: str) -> None:
        for name, guidance in self.built(method):
            for i in (0, 2, 10, 19):
                assert run(guidance, i)[1] == guidance.rows(i, N, AT) <= guidance.nfe(), name


class TestInterval:
    def test_acts_inside_only_and_asks_one_row_outside(self) -> None:
        guidance = wrapped({"wrapper": "interval", "params": {"start": 0.2, "stop": 0.5}})
        rows = [run(guidance, i)[1] for i in range(N)]
        assert rows == [2 if 4 <= i < 10 else 1 for i in range(N)]
        assert rows == [guidance.rows(i, N, AT) for i in range(N)]
        assert_same(run(guidance, 5)[0], run(wrapped(), 5)[0])

    def test_an_empty_interval_is_sampling_without_guidance(self) -> None:
        empty = wrapped({"wrapper": "interval", "params": {"start": 0.5, "stop": 0.5}})
        plain = wrapped(params={"guidance_scale": 1.0})
        for i in range(N):
            assert_same(run(empty, i)[0], run(plain, i)[0])

    def test_the_full_interval_changes_nothing(self) -> None:
        for name in ("interval", "interval_timestep"):
            for i in (0, 7, N - 1):
                assert_same(run(wrapped({"wrapper": name}), i)[0], run(wrapped(), i)[0])

    @pytest.mark.parametrize(
        ("wrapper", "params", "inside", "outside"),
        [
            ("interval_sigma", {"sigma_min": 0.5, "sigma_max": 2.0}, [(0.5, 1.0), (1.0, 0.75)], [(1, 0.5), (0, 1.0)]),
            ("interval_sigma", {"sigma_min": 0.5, "sigma_max": 100}, [(0.0, 1.0), (0.001, 1.0)], [(1.0, 0.5)]),
            ("interval_timestep", {"t_min": 200, "t_max": 600}, [200, 600, 400.5], [199, 601]),
        ],
    )
    def test_bounds(self, wrapper: str, params: dict[str, float], inside: list[Any], outside: list[Any]) -> None:
        guidance = wrapped({"wrapper": wrapper, "params": params})
        for places, rows in ((inside, 2), (outside, 1)):
            for place in places:
                a, s, t = (*place, 500.0) if isinstance(place, tuple) else (0.6, 0.8, place)
                at = NoisePoint(a, s, t)
                assert run(guidance, at=at)[1] == rows, place

    def test_momentum_is_not_touched_outside(self) -> None:
        guidance = wrapped({"wrapper": "interval", "params": {"stop": 0.1}}, method="apg", params={})
        guided, _ = run(guidance, 0)
        assert run(guidance, 5, state=guided.state)[0].state is guided.state

    @pytest.mark.parametrize(
        ("name", "params", "sentence"),
        [
            (
                "interval",
                {"start": 0.8, "stop": 0.2},
                "In the guidance wrapper interval, start must be a number from 0 to stop, which is 0.2, not 0.8.",
            ),
            (
                "interval_sigma",
                {"sigma_min": 9, "sigma_max": 1},
                "In the guidance wrapper interval of sigma, sigma_min must be a number from 0 to sigma_max, "
                "which is 1, not 9.",
            ),
            (
                "interval",
                {"stop": 1e6},
                "In the guidance wrapper interval, stop must be a number from 0 to 1, not 1000000.0.",
            ),
            (
                "interval_sigma",
                {"sigma_max": 1e6},
                "In the guidance wrapper interval_sigma, sigma_max must be a number from 0 to 100.0, not 1000000.0.",
            ),
            (
                "interval",
                {"start": math.nan},
                "In the recipe, guidance.wrappers[0].params.start must be a finite number, true, false or text, "
                "not nan.",
            ),
        ],
    )
    def test_refusals(self, name: str, params: dict[str, float], sentence: str) -> None:
        assert refusal({"wrapper": name, "params": params}) == sentence


class TestSchedule:
    @pytest.mark.parametrize(
        ("params", "scales"),
        [
            ({"curve": "constant", "first": 1.0}, [4.0, 4.0, 4.0]),
            ({"curve": "linear"}, [1.0, 1 + 3 * 10 / 19, 4.0]),
            ({"curve": "linear", "first": 2.0, "last": 0.0}, [7.0, 1 + 3 * (2 - 20 / 19), 1.0]),
            ({"curve": "cosine"}, [1.0, 1 + 1.5 * (1 - math.cos(math.pi * 10 / 19)), 4.0]),
            ({"curve": "beta"}, [1.0, 1 + 3 * 4 * (10 / 19) * (9 / 19), 1.0]),
            ({"curve": "beta", "rise": 1.0, "fall": 1.0}, [4.0, 4.0, 4.0]),
            ({"curve": "points", "points": "0.1:2, 0.9:1"}, [7.0, 1 + 3 * (2 - (10 / 19 - 0.1) / 0.8), 4.0]),
        ],
    )
    def test_the_scale_at_three_steps(self, params: dict[str, Any], scales: list[float]) -> None:
        guidance = wrapped({"wrapper": "schedule", "params": params})
        for i, scale in zip((0, 10, 19), scales, strict=True):
            assert_same(run(guidance, i)[0], run(wrapped(params={"guidance_scale": scale}), i)[0], 1e-12)

    def test_a_scale_that_does_nothing_asks_for_one_row(self) -> None:
        guidance = wrapped({"wrapper": "schedule", "params": {"curve": "linear"}})
        assert [run(guidance, i)[1] for i in range(N)] == [1] + [2] * (N - 1)
        assert [guidance.rows(i, N, AT) for i in range(N)] == [1] + [2] * (N - 1)

    def test_a_curve_that_rises_for_a_moment_costs_what_that_moment_does(self) -> None:
        """Between the even points at which the cost of other curves is looked for."""
        guidance = wrapped(
            {"wrapper": "schedule", "params": {"curve": "points", "points": "0:0, 0.51:0, 0.53:1, 0.56:0"}}
        )
        rows = [run(guidance, i)[1] for i in range(N)]
        assert rows == [1] * 10 + [2] + [1] * 9
        assert guidance.nfe() == max(rows)

    def test_the_original_formulation_rests_at_zero(self) -> None:
        params = {"guidance_scale": 3.0, "formulation": "original"}
        schedule = {"wrapper": "schedule", "params": {"curve": "linear"}}
        for i in (0, 10, 19):
            assert_same(run(wrapped(schedule, params=params), i)[0], run(wrapped(schedule), i)[0], 1e-12)

    def test_any_parameter_may_change(self) -> None:
        guidance = wrapped(
            {"wrapper": "schedule", "params": {"parameter": "rescale", "curve": "linear"}}, params={**CFG, "rescale": 1}
        )
        assert_same(run(guidance, 0)[0], run(wrapped(), 0)[0])
        assert_same(run(guidance, 19)[0], run(wrapped(params={**CFG, "rescale": 1}), 19)[0])

    @pytest.mark.parametrize("points", ["", "0:0, 1", "0:0, nan:1", "0.5:1, 0.5:2", "0:1, 1:6", "-1:1", "a:b", "0:1:2"])
    def test_points_that_are_none(self, points: str) -> None:
        said = refusal({"wrapper": "schedule", "params": {"curve": "points", "points": points}})
        assert said.startswith("In the guidance wrapper schedule, points must be 1 to 64 pairs progress:share")
        assert said.endswith(f"not {points!r}.")

    def test_a_value_out_of_range_is_refused_when_it_is_built(self) -> None:
        said = refusal({"wrapper": "schedule", "params": {"first": 5}}, params={"guidance_scale": 20})
        assert said == "Under the schedule, guidance_scale must stay a number from 0 to 30, not reach 96 (share 5)."

    def test_a_parameter_the_method_has_not(self) -> None:
        said = refusal({"wrapper": "schedule", "params": {"parameter": "eta"}})
        assert said.startswith(
            "In the guidance wrapper schedule, parameter must be one of guidance_scale, rescale, not"
        )

    def test_a_method_without_numbers(self) -> None:
        class Bare(OneRound):
            source: ClassVar[str] = "this test"
            neutral: ClassVar[dict[str, Any]] = {}
            native_space: ClassVar = "any"
            needs: ClassVar[tuple[str, ...]] = ("cond",)
            patch: int = 3

            def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[torch.Tensor, State]:
                return preds["cond"].x0, state

        with pytest.raises(BadInput, match="this method has none"):
            Schedule().check(Bare())


class TestRescale:
    @pytest.mark.parametrize("space", ["raw", "x0"])
    def test_is_the_rescale_of_cfg(self, space: str) -> None:
        outside = wrapped({"wrapper": "rescale", "params": {"phi": 0.7, "space": space}})
        assert_same(run(outside)[0], run(wrapped(params={**CFG, "rescale": 0.7, "rescale_space": space}))[0], 1e-12)

    def test_off(self) -> None:
        assert_same(run(wrapped({"wrapper": "rescale", "params": {"phi": 0}}))[0], run(wrapped())[0])

    def test_full_gives_the_spread_of_the_conditional(self) -> None:
        guided, _ = run(wrapped({"wrapper": "rescale", "params": {"phi": 1, "space": "x0"}}, method="apg", params={}))
        torch.testing.assert_close(guided.x0.flatten(1).std(1), random(0).flatten(1).std(1))
        torch.testing.assert_close(rescale(random(3), random(0), 0.0), random(3))


class TestThreshold:
    def test_pixel_form(self) -> None:
        guidance = wrapped({"wrapper": "threshold", "params": {"form": "pixel"}})
        plain, clipped = run(wrapped())[0].x0, run(guidance)[0].x0
        limit = torch.quantile(plain.abs().flatten(1), 0.995, 1)[:, None, None, None]
        assert (limit > 1).all()
        torch.testing.assert_close(clipped, plain.clamp(-limit, limit) / limit)
        assert clipped.abs().max() <= 1

    def test_a_ceiling_of_one_is_a_plain_clip(self) -> None:
        guidance = wrapped({"wrapper": "threshold", "params": {"form": "pixel", "ceiling": 1}})
        torch.testing.assert_close(run(guidance)[0].x0, run(wrapped())[0].x0.clamp(-1, 1))

    def test_values_in_range_stay(self) -> None:
        guidance = wrapped({"wrapper": "threshold", "params": {"form": "pixel"}})
        small = {"pos": 0.1 * random(0), "empty": 0.1 * random(1)}
        step = Step(by_condition({name: x0.clamp(-0.1, 0.1) for name, x0 in small.items()}), random(9), "sample")
        assert_same(step.run(guidance), step.run(wrapped()), 1e-15)

    def test_latent_form_brings_each_channel_back_to_the_range_of_the_conditional(self) -> None:
        guidance = wrapped({"wrapper": "threshold", "params": {"percentile": 1.0}}, params={"guidance_scale": 9})
        plain, guided, c = run(wrapped(params={"guidance_scale": 9}))[0].x0, run(guidance)[0].x0, random(0)

        def reach(x: torch.Tensor) -> torch.Tensor:
            return (x - x.mean((2, 3), keepdim=True)).abs().amax((2, 3))

        assert (reach(plain) > reach(c)).all()
        torch.testing.assert_close(reach(guided), reach(c))
        torch.testing.assert_close(guided.mean((2, 3)), plain.mean((2, 3)))

    def test_latent_form_clips_what_lies_beyond_the_quantile(self) -> None:
        guidance = wrapped({"wrapper": "threshold", "params": {"percentile": 0.9}}, params={"guidance_scale": 9})
        g, c = run(wrapped(params={"guidance_scale": 9}))[0].x0, random(0)
        mean = g.mean((2, 3), keepdim=True)
        mine, theirs = (
            torch.quantile((x - x.mean((2, 3), keepdim=True)).abs().flatten(2), 0.9, 2)[..., None, None] for x in (g, c)
        )
        assert (mine > theirs).all() and ((g - mean).abs() > mine).any()
        torch.testing.assert_close(run(guidance)[0].x0, mean + (g - mean).clamp(-mine, mine) * theirs / mine)

    def test_latent_form_leaves_a_channel_of_no_wider_range_alone(self) -> None:
        guidance = wrapped({"wrapper": "threshold"}, params={"guidance_scale": 0})
        table = {"pos": random(0), "empty": torch.cat([0.1 * random(1)[:, :1], 10 * random(1)[:, 1:]], 1)}
        made = Step(by_condition(table), random(9), "sample").run(guidance).x0
        torch.testing.assert_close(made[:, :1], table["empty"][:, :1])
        assert ((made - table["empty"])[:, 1:].abs().amax((2, 3)) > 1).all()

    @pytest.mark.parametrize("ceiling", [None, 100.0])
    def test_pixel_form_is_that_of_diffusers_schedulers(self, ceiling: float | None) -> None:
        """Left to themselves they have a ceiling of 1, which clips and brings nothing back."""
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        given: dict[str, Any] = {} if ceiling is None else {"sample_max_value": ceiling}
        theirs: Any = DDIMScheduler(thresholding=True, dynamic_thresholding_ratio=0.995, **given)
        guidance = wrapped({"wrapper": "threshold", "params": {"form": "pixel", "ceiling": ceiling or 1.0}})
        torch.testing.assert_close(run(guidance)[0].x0, theirs._threshold_sample(run(wrapped())[0].x0))

    @pytest.mark.parametrize("form", ["pixel", "latent"])
    def test_off(self, form: str) -> None:
        assert_same(run(wrapped({"wrapper": "threshold", "params": {"form": form, "phi": 0}}))[0], run(wrapped())[0])


class TestSum:
    def test_adds_the_second_methods_step(self) -> None:
        both = wrapped({"wrapper": "sum", "params": {"weight": 0.5}, "added": {"method": "apg"}})
        guided, rows = run(both)
        alone = run(wrapped(method="apg", params={}))[0]
        torch.testing.assert_close(guided.x0, run(wrapped())[0].x0 + 0.5 * (alone.x0 - random(0)))
        assert rows == both.rows(0, N, AT) == 2 < both.nfe()

    def test_keeps_the_state_of_both_apart(self) -> None:
        both, one, two = (
            wrapped(
                {"wrapper": "sum", "added": {"method": "apg", "params": {"momentum": 0.5}}}, method="apg", params={}
            ),
            wrapped(method="apg", params={}),
            wrapped(method="apg", params={"momentum": 0.5}),
        )
        states: list[State] = [method.init(random(0).shape) for method in (both, one, two)]
        for i in range(3):
            made = [run(method, i, state=state)[0] for method, state in zip((both, one, two), states, strict=True)]
            c = random(10 * i)
            torch.testing.assert_close(made[0].x0, made[1].x0 + made[2].x0 - c)
            states = [each.state for each in made]

    def test_order_in_the_list_is_order_of_nesting(self) -> None:
        added = {"wrapper": "sum", "added": {"params": CFG}}
        box = {"wrapper": "interval", "params": {"stop": 0.0}}
        torch.testing.assert_close(run(wrapped(box, added))[0].x0, run(wrapped())[0].x0)  # the first alone is boxed
        torch.testing.assert_close(run(wrapped(added, box))[0].x0, random(0))  # both are

    def test_what_is_added_may_have_wrappers_of_its_own(self) -> None:
        inner = {"params": CFG, "wrappers": [{"wrapper": "interval", "params": {"stop": 0.0}}]}
        torch.testing.assert_close(run(wrapped({"wrapper": "sum", "added": inner}))[0].x0, run(wrapped())[0].x0)

    def test_refusals(self) -> None:
        assert refusal({"wrapper": "sum"}) == "The guidance wrapper sum lacks the method it adds: give it as 'added'."
        nested = {"wrapper": "sum", "added": {"wrappers": [{"wrapper": "sum", "added": {}}]}}
        assert "cannot add another itself" in refusal(nested)
        assert "only sum takes 'added'" in refusal({"wrapper": "rescale", "added": {}})


class TestInTheRecipe:
    def test_without_wrappers_json_and_digest_are_as_before(self) -> None:
        recipe = Recipe(prompt="a red star", seed=7)
        assert "wrappers" not in recipe.canonical_json()
        assert (
            Recipe.load({"prompt": "a red star", "seed": 7, "guidance": {"wrappers": []}}).digest() == recipe.digest()
        )

    def test_round_trip(self) -> None:
        values = {
            "method": "cfg",
            "wrappers": [ALL["interval"], {"wrapper": "sum", "added": {"wrappers": [ALL["curve"]]}}],
        }
        recipe = Recipe.load({"guidance": values})
        again = Recipe.from_json(recipe.canonical_json())
        assert again == recipe and hash(again.guidance) == hash(recipe.guidance)
        assert again.digest() == recipe.digest() != Recipe().digest()
        assert build(again.guidance) == build(recipe.guidance)

    def test_said_out_loud_it_builds_the_same(self) -> None:
        around = [ALL["interval"], {"wrapper": "sum", "added": {"method": "apg", "wrappers": [ALL["curve"]]}}]
        spec = Recipe.load({"guidance": {"wrappers": around}}).guidance
        said = spoken(spec)
        assert build(said) == build(spec) and spoken(said) == said
        assert said.wrappers[0].params == {"start": 0.0, "stop": 1.0} and said.params["guidance_scale"] == 1.5
        assert said.wrappers[1].added is not None and "momentum" in said.wrappers[1].added.params
        assert said.wrappers[1].added.wrappers[0].params["rise"] == 2.0

    def test_an_unknown_wrapper(self) -> None:
        with pytest.raises(NotFound, match="There is no guidance wrapper named 'intervall', did you mean 'interval'?"):
            build(GuidanceSpec(wrappers=(WrapperSpec(wrapper="intervall"),)))

    def test_too_many(self) -> None:
        said = refusal(*[{"wrapper": "rescale"}] * 9)
        assert said.startswith("In the recipe, guidance.wrappers must be a list of at most 8 entries, not ({")

    def test_nested_deep_is_one_sentence(self) -> None:
        values: dict[str, Any] = {}
        for _ in range(300):
            values = {"wrappers": [{"wrapper": "sum", "added": values}]}
        with pytest.raises(BadInput) as caught:
            build(Recipe.load({"guidance": values}).guidance)
        assert len(str(caught.value)) < 300

    def test_it_says_what_it_does(self) -> None:
        told = wrapped(ALL["interval"], ALL["rescale"]).describe()
        assert told == "g = u + 4*(c - u); only for start 0 to stop 1; contrast of raw pulled back by 0.7"


def test_every_wrapper_declares_itself() -> None:
    for name, cls in WRAPPERS.items():
        assert cls.source and cls.label and (cls.__doc__ or "").strip(), name
        for spec in specs(cls):
            assert spec.help
            assert spec.kind not in ("float", "int") or None not in (spec.low, spec.high, spec.step)


@pytest.mark.parametrize("name", [name for name in WRAPPERS.names() if name != "sum"])
def test_what_does_not_matter_changes_nothing(name: str) -> None:
    for spec, others, two in not_mattering(specs(WRAPPERS.get(name))):
        one, other = (wrapped({"wrapper": name, "params": others | {spec.name: value}}) for value in two)
        for i in (0, 7, 19):
            assert_same(run(one, i)[0], run(other, i)[0])


def test_the_ends_of_a_curve_are_told_in_round_numbers() -> None:
    points = {"curve": "points", "points": "0:0.1, 0.75:0.35, 1:0"}
    told = wrapped({"wrapper": "schedule", "params": points}).describe()
    assert told.endswith(
        "guidance scale times 0.1 at the first step to 0 at the last (points)"
    )  # not 2e-16, which is what is left
