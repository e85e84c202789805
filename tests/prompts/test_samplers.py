"""Samplers and schedules in every spelling, and that what we write of ours is read back."""

from __future__ import annotations

import pytest

from studio.diffusion.grid import GRIDS
from studio.diffusion.solvers import SOLVERS
from studio.prompts.samplers import (
    AUTOMATIC,
    NEARLY,
    SAMPLERS,
    SCHEDULE_TYPES,
    SPACINGS,
    UNSAID,
    sampler_and_schedule,
    schedule_of,
    spacing_of,
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("DPM++ 2M Karras", "dpmpp_2m_karras", "DPM++ 2M  karras", "dpmpp_2m_k", "k_dpmpp_2m_karras"), "karras"),
        (("DPM++ 2M", "dpmpp_2m", "k_dpmpp_2m", "dpm++ 2m", "DPMPP 2M", "DPMSolverMultistepScheduler"), None),
        (("dpmpp_2m_sgm_uniform", "DPM++ 2M SGM Uniform"), "sgmuniform"),
    ],
)
def test_one_sampler_in_many_spellings(names: tuple[str, ...], expected: str | None) -> None:
    assert {sampler_and_schedule(name) for name in names} == {("dpmpp_2m", expected)}


@pytest.mark.parametrize(
    ("name", "sampler", "schedule"),
    [
        ("Euler a", "euler_ancestral", None),
        ("euler_a", "euler_ancestral", None),
        ("k_euler_ancestral", "euler_ancestral", None),
        ("Euler Ancestral Karras", "euler_ancestral", "karras"),
        ("euler_normal", "euler", "normal"),
        ("euler_k", "euler", "karras"),
        ("k_euler", "euler", None),
        ("dpmpp_2m_sde_gpu", "dpmpp_2m_sde", None),
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("uni_pc", "unipc", None),
        ("ddim_uniform", "ddim", "uniform"),
        ("DDIMScheduler", "ddim", None),
        ("EulerAncestralDiscreteScheduler", "euler_ancestral", None),
        ("uni_pc_bh2", None, None),
        ("DPM++ 2M SDE Heun Karras", None, None),
        ("LMS", None, None),
        ("k", None, None),
    ],
)
def test_spellings(name: str, sampler: str | None, schedule: str | None) -> None:
    assert sampler_and_schedule(name) == (sampler, schedule)


def test_what_they_stand_for_is_there() -> None:
    spacings = [*SPACINGS.values(), *(spacing for spacing, _ in NEARLY.values()), *SCHEDULE_TYPES]
    assert set(spacings) <= set(GRIDS.names()) and set(SAMPLERS.values()) == set(SOLVERS.names())
    assert {*AUTOMATIC, *UNSAID} <= set(SOLVERS.names()) and {*AUTOMATIC.values()} <= {*SPACINGS, *NEARLY}


def test_ours_are_read_back() -> None:
    assert [spacing_of(schedule_of(spacing)) for spacing in GRIDS.names()] == list(GRIDS.names())
    assert [sampler_and_schedule(SOLVERS.get(name).label) for name in SOLVERS.names()] == [
        (name, None) for name in SOLVERS.names()
    ]
