"""Guidance methods and samplers that do not go together say so, by what each declares."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.diffusion.solvers import SOLVERS
from studio.guidance import GUIDANCE
from studio.services.pairing import caveat, idle_negative


def test_zigzag_on_a_sampler_with_a_memory_names_the_samplers_that_suit_it() -> None:
    assert caveat(GuidanceSpec(method="z_sampling"), "dpmpp_2m") == (
        "Zigzag (Z-Sampling) goes back and forth before a step, and DPM++ 2M, a multistep sampler, goes by earlier "
        "steps, which no longer fit. DDIM, Euler and Euler a suit it."
    )
    for sampler in ("ddim", "euler", "euler_ancestral"):
        assert caveat(GuidanceSpec(method="z_sampling"), sampler) == ""
    assert caveat(GuidanceSpec(method="cfg"), "dpmpp_2m") == ""


def test_the_pairs_are_those_of_every_method_and_sampler_there_is() -> None:
    pairs = {
        (method, sampler)
        for method in GUIDANCE.names()
        for sampler in SOLVERS.names()
        if caveat(GuidanceSpec(method=method), sampler)
    }
    methods = {"cfg_pp", "cfg_mp", "cfg_mp_plus", "z_sampling", "zero_star", "diffusers_zero_star"}
    assert pairs == {(method, sampler) for method in methods for sampler in ("dpmpp_2m", "dpmpp_2m_sde", "unipc")}


@pytest.mark.parametrize(
    ("method", "params", "sampler", "sampler_params"),
    [
        ("z_sampling", {"strength": 0.0}, "dpmpp_2m", {}),
        ("cfg_mp", {"iterations": 0}, "dpmpp_2m", {}),
        ("zero_star", {"zero_steps": 0}, "unipc", {}),
        ("cfg_pp", {}, "unipc", {"order": 1, "corrector": False}),
    ],
)
def test_what_is_turned_off_disturbs_nothing(
    method: str, params: dict[str, Any], sampler: str, sampler_params: dict[str, Any]
) -> None:
    assert caveat(GuidanceSpec(method=method), sampler)
    assert not caveat(GuidanceSpec(method=method, params=params), sampler, sampler_params)


def test_what_a_sum_adds_is_looked_at_too_and_called_by_its_own_name() -> None:
    wrappers = (WrapperSpec(wrapper="interval"), WrapperSpec(wrapper="sum", added=GuidanceSpec(method="cfg_pp")))
    assert caveat(GuidanceSpec(method="cfg", wrappers=wrappers), "unipc").startswith("CFG++ moves the latents")


@pytest.mark.parametrize(
    ("method", "params", "has_effect"),
    [
        ("cfg", {"guidance_scale": 1.0}, False),
        ("cfg", {"guidance_scale": 1.5}, True),
        ("pag", {}, False),
        ("pag", {"guidance_scale": 2.0}, True),
        ("nag", {}, True),
        ("nag", {"nag_alpha": 0.0}, False),
        ("perp_neg", {"negative_scale": 0.0}, False),  # asks for the empty prompt, whatever the negative says
    ],
)
def test_a_negative_prompt_without_effect_is_told_as_such(
    method: str, params: dict[str, Any], has_effect: bool
) -> None:
    assert (idle_negative(GuidanceSpec(method=method, params=params)) == "") is has_effect


def test_every_method_as_it_comes_uses_a_negative_prompt_or_says_that_it_does_not() -> None:
    idle = {method for method in GUIDANCE.names() if idle_negative(GuidanceSpec(method=method))}
    assert {"pag", "seg", "slg", "autoguidance"} <= idle and not {"cfg", "apg", "perp_neg", "nag"} & idle
