"""Erasures that act together, with the real model: each disturbs the others, and one solve in their place does less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.services.studio import Studio
from studio.services.together import Member, joint_plan, refs_replaced

PAIRS = {"star": "heart", "fish": "tree", "house": "square"}


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    settings = Settings(workspace=tmp_path_factory.mktemp("w"), model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


@pytest.fixture(scope="module")
def members(studio: Studio) -> list[Member]:
    for words, substitute in PAIRS.items():
        concept = {"words": words, "substitute": substitute}
        preserves = ["a fish", "a red ring"] if words == "star" else []
        plan = {"name": f"no-{words}", "model": "stencil", "concepts": [concept], "preserves": preserves}
        studio.jobs.wait(studio.erasures.start(plan))
    return studio.together.members({entry.id: entry for entry in studio.edits.list()}, "stencil")


def test_each_reaches_less_far_beside_the_others_and_together_again_as_far(
    studio: Studio, members: list[Member]
) -> None:
    assert {member.plan.name for member in members} == {f"no-{words}" for words in PAIRS}
    job = studio.together.look("stencil", members)
    studio.jobs.wait(job)
    assert studio.together.look("stencil", members) == job  # known: nothing is queued again
    reaches = studio.together.reaches(job, members)
    assert reaches is not None and {reach.concept.words for reach in reaches} == set(PAIRS)
    for reach in reaches:
        own = reach.member
        measured = members[own].entry.provenance["measures"][f"{reach.concept.words}: completeness"]
        assert abs(2 * reach.along[own] - reach.common[own, own] - measured) < 0.05  # of other sentences
        assert reach.together([1.0] * 3) < reach.alone([1.0] * 3) - 0.05
        assert reach.alone([0.5] * 3) == pytest.approx(reach.alone([1.0] * 3))  # of its way, however far
        assert reach.together([0.0] * 3) == reach.together([-1.0] * 3) == 0

    solve = studio.together.solve(members, sliders=True)
    assert studio.together.solved(solve) is None
    studio.jobs.wait(solve)
    solved = studio.together.solved(solve)
    assert solved is not None and set(solved[1]) == set(PAIRS)
    shares = {name: studio.edits.show(name) for name in solved[1].values()}
    joint = studio.together.members(shares, "stencil")
    job = studio.together.look("stencil", joint)
    studio.jobs.wait(job)
    shown = {reach.concept.words: reach.together([1.0] * 3) for reach in studio.together.reaches(job, joint) or ()}
    for reach in reaches:
        assert shown[reach.concept.words] > reach.together([1.0] * 3) + 0.03
    assert refs_replaced(studio.jobs.get(solve).payload) == [member.name for member in members]
    assert len({str(member.solved_with) for member in joint}) == 1


def test_the_joint_plan_keeps_what_none_erases_and_names_each_concept_once(members: list[Member]) -> None:
    plan = joint_plan(members, sliders=False)
    assert plan["preserves"] == ["a red ring"]  # the fish goes
    assert {concept["words"] for concept in plan["concepts"]} == set(PAIRS) and " + " in plan["name"]
    assert joint_plan([members[0], members[0]], sliders=False)["concepts"] == [
        members[0].plan.concepts[0].model_dump(mode="json")
    ]


def test_what_cannot_be_solved_together_is_refused(studio: Studio, members: list[Member]) -> None:
    with pytest.raises(BadInput, match="nothing to be solved together with"):
        studio.together.solve(members[:1], sliders=False)
    entry = members[0].entry
    other_way = members[0].plan.model_copy(
        update={"concepts": (members[0].plan.concepts[0].model_copy(update={"substitute": "moon"}),)}
    )
    with pytest.raises(BadInput, match="erased twice"):
        studio.together.solve([members[0], Member("again", entry, other_way)], sliders=False)
    assert studio.together.members({entry.id: entry}, "another model") == []
