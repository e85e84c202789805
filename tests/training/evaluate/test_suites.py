"""The contract every suite keeps, and cases as values."""

import pytest

from studio.core.errors import BadInput
from studio.training.evaluate.cases import SUITES, Case, Suite
from studio.training.evaluate.suites import held_out, typed, wordings
from studio.world.caption import canonical
from studio.world.reading import Wanted
from tests.training.evaluate import toy_suite as _toy  # noqa: F401  # one file, and it is held to the contract

NOT_NESTED = {"wordings"}  # the gates draw them with so many seeds each, side by side
OURS = [(name, suite) for name, suite in SUITES.items()]


@pytest.mark.parametrize(("name", "suite"), OURS, ids=[name for name, _ in OURS])
def test_suite(name: str, suite: Suite) -> None:
    assert name == name.lower() and suite.about.endswith(".")
    assert 1 <= suite.quick < suite.pictures <= suite.most
    cases = suite.cases(suite.quick)
    assert len(cases) == suite.quick and len(suite.cases(1)) == 1
    assert len({case.seed for case in cases}) == suite.quick, "two pictures of one seed"
    assert all(Case.load(case.plain()).plain() == case.plain() and case.expectation is not None for case in cases)
    more = suite.cases(suite.quick if name in NOT_NESTED else suite.quick + 1)
    assert more[: suite.quick] == cases, "every time the same, and fewer are the first of more"
    for pictures in (0, suite.most + 1):
        with pytest.raises(BadInput, match=r"This suite draws 1 to [\d,]+ pictures"):
            suite.cases(pictures)


def test_no_two_suites_of_the_gates_draw_one_seed() -> None:
    seeds: list[int] = []
    for name in ("one-object", "two-objects", "headroom", "open-prompts", "each-object", "wordings"):
        suite = SUITES.get(name)
        first: dict[str, int] = {}
        for case in suite.cases(12):
            first.setdefault(case.group, case.seed)
        for seed in first.values():  # they count up within a group
            seeds += range(seed, seed + suite.pictures // len(first))
    assert len(set(seeds)) == len(seeds) == 600 + 300 + 64 + 900 + 720 + 160


def test_the_suites_are_what_the_gates_have_always_drawn() -> None:
    def drawn(name: str) -> dict[str, list[tuple[str, int]]]:
        groups: dict[str, list[tuple[str, int]]] = {}
        for case in SUITES.get(name).cases(24):
            groups.setdefault(case.group, []).append((case.prompt, case.seed))
        return groups

    scenes = held_out.prompt_scenes(24, 1)
    assert drawn("one-object") == {"": [(canonical(scene), i) for i, scene in enumerate(scenes)]}
    pairs = held_out.prompt_scenes(24, 2)
    assert drawn("two-objects") == {"": [(canonical(scene), 50_000 + i) for i, scene in enumerate(pairs)]}
    calm = held_out.scenes_with_headroom(24)
    assert drawn("headroom") == {"": [(canonical(scene), 90_000 + i) for i, scene in enumerate(calm)]}
    for name, parts, n, first, apart in (
        ("open-prompts", typed.open_prompts(8), 8, 70_000, 1000),
        ("each-object", typed.each_object(2), 2, 75_000, 100),
    ):
        for k, (group, cases) in enumerate(parts.items()):
            assert drawn(name)[group] == [(case.prompt, case.seed) for case in cases]
            assert [case.seed for case in cases] == [first + apart * k + i for i in range(n)]
    texts = [text for text, _ in wordings.PHRASINGS for _ in range(4)]
    every = SUITES.get("wordings").cases()
    assert [(case.prompt, case.seed) for case in every] == [(text, 78_000 + i) for i, text in enumerate(texts)]


def test_a_case_comes_back_from_plain_values() -> None:
    wanted = Wanted((("star", None), (None, "red")), style="neon", count=2, relation="above")
    case = Case("a star above red", 2**63, wanted, "part", "a flat star")
    assert Case.load(case.plain()) == case
    assert Case("a star", 1).plain() == {"prompt": "a star", "seed": 1}
    for values in (
        {},
        {"prompt": "a star"},
        {"prompt": "a", "seed": "x"},
        {"prompt": "a", "seed": 1, "wanted": {"a": 1}},
    ):
        with pytest.raises(BadInput, match="needs a prompt and a seed"):
            Case.load(values)
