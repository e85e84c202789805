"""The kind "evaluate" on the engine: edits in force, gives way, nothing drawn twice, stopped and killed, no oracle."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, Cancelled, WorkspaceError
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.edits.files import to_bytes
from studio.engine.runner import Engine
from studio.training.evaluate import drawing, evaluator, store
from studio.training.evaluate.cases import Case
from studio.training.evaluate.files import read_run, results_path, tidy
from studio.training.evaluate.results import Facts
from studio.world.reading import Wanted
from tests.engine.edits.making import full_hash, make_edit, shapes_of
from tests.tiny_model import build_once

KIND = "studio.training.evaluate.job:run"
RUN = "0" * 32
CASES = [Case(f"a {colour} star", seed, Wanted((("star", colour),))) for seed in range(2) for colour in ("red", "blue")]
E = {"edit": "bold", "strength": 1.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture(scope="module")
def engine(model: Path) -> Engine:
    config = EngineConfig(models={"stencil": model}, device="cpu", previews=False, kinds={"evaluate": KIND})
    return Engine(config)


@pytest.fixture(scope="module")
def edits(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("edits") / "bold-000000000000.safetensors"
    shapes = shapes_of(engine.bundle("stencil").components()["unet"])
    path.write_bytes(to_bytes(make_edit(dict(list(shapes.items())[:8]), size=0.3)))
    return {"bold": str(path)}


class Job:
    """One evaluation under way: `steps` to take, `told` so far."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        edits: dict[str, str],
        *,
        cases: list[Case] = CASES,
        oracle: bool = True,
        stacks: tuple[Any, ...] = ((),),
        under: tuple[int, ...] = (),
        protocols: tuple[dict[str, Any], ...] = (),
        **protocol: Any,
    ) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.folder = folder
        request = {
            "parts": [{"suite": "stars", "stacks": under}],
            "stacks": stacks,
            "protocol": {"steps": 2, "batching": "isolated", **protocol},
            "protocols": [{"steps": 2, "batching": "isolated", **of_stack} for of_stack in protocols],
        }
        job = {
            "kind": "evaluate",
            "id": "abc",
            "request": request,
            "cases": {"stars": [case.plain() for case in cases]},
            "edits": edits,
            "folder": str(folder),
            "run": RUN,
            "oracle": oracle,
        }
        self.steps = engine.steps(job, lambda kind, data: self.told.append((kind, data)), lambda: False)

    def finish(self) -> Job:
        for _ in self.steps:
            pass
        return self

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for told, data in self.told if told == kind]

    def facts(self, stack: int = 0) -> dict[Any, Facts]:
        return store.read(results_path(self.folder, read_run(self.folder, RUN).digests[stack]))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the recipes that go to the engine."""
    seeds: list[int] = []
    original = drawing.by_engine

    def by_engine(*args: Any) -> Any:
        draw = original(*args)

        def counting(recipes: Any) -> Any:
            seeds.extend(recipe.seed for recipe in recipes)
            return draw(recipes)

        return counting

    monkeypatch.setattr("studio.training.evaluate.job.by_engine", by_engine)
    return seeds


def picture(engine: Engine, case: Case, edits: dict[str, str], *refs: dict[str, Any]) -> str:
    """The hash of a case's picture, drawn the plain way."""
    from hashlib import sha256

    recipe = Recipe.load(
        {"prompt": case.prompt, "seed": case.seed, "steps": 2, "width": 32, "height": 32, "edits": refs}
    )
    hashes: list[str] = []

    def tell(kind: str, data: dict[str, Any]) -> None:
        if kind == "image":
            hashes.append(sha256(data["rgb"]).hexdigest())

    engine.run({"kind": "generate", "recipes": [recipe.model_dump(mode="json")], "edits": edits}, tell, lambda: False)
    return hashes[0]


def test_every_stack_is_drawn_as_a_picture_with_it_would_be(
    engine: Engine, edits: dict[str, str], tmp_path: Path
) -> None:
    umask = os.umask(0)  # one that would show everything to everyone
    try:
        job = Job(engine, tmp_path / "e", edits, stacks=((), (E,))).finish()
    finally:
        os.umask(umask)
    if os.name == "posix":  # what it writes is its user's alone, as all of a workspace
        written = [tmp_path / "e", *(tmp_path / "e").rglob("*")]
        assert len(written) >= 5 and all(not path.stat().st_mode & 0o077 for path in written)
    assert [kind for kind, _ in job.told if kind not in ("measure", "progress")] == ["started", "done"]
    base, edited = job.facts(0), job.facts(1)
    assert set(base) == set(edited) == {case.key for case in CASES}
    for case in CASES[:2]:
        assert base[case.key].sha256 == picture(engine, case, edits)
        assert edited[case.key].sha256 == picture(engine, case, edits, E)
        assert base[case.key].sha256 != edited[case.key].sha256
        assert base[case.key].reading is not None and base[case.key].features is not None
    last = job.of("progress")[-1]
    assert (last["step"], last["steps"], last["done"]) == (8, 8, 1.0)
    measure = job.of("measure")[-1]
    assert measure["step"] == 8 and set(measure["values"]) == {"stars, base: as stated", "stars, bold: as stated"}


def test_what_is_known_is_not_drawn_and_what_changed_is(
    engine: Engine, edits: dict[str, str], tmp_path: Path, counted: list[int]
) -> None:
    def drawn(**changes: Any) -> int:
        counted.clear()
        Job(engine, tmp_path / "e", edits, **changes).finish()
        return len(counted)

    assert drawn() == 4
    assert drawn() == 0
    more = [*CASES, Case("a red square", 9)]
    assert drawn(cases=more) == 1 and drawn(cases=CASES[:2]) == 0
    assert drawn(stacks=((), (E,))) == 4  # the edit's alone
    assert drawn(stacks=((), (E,), ({**E, "strength": 0.5},))) == 4
    assert drawn(stacks=((), ({**E, "strength": 0.0},))) == 0, "an edit that is off is the base"
    assert drawn(stacks=(({**E, "stop": 0.5},),)) == 4 and drawn(stacks=(({**E, "stop": 0.5},),)) == 0
    for changes in ({"steps": 3}, {"guidance": {"params": {"guidance_scale": 3.0}}}, {"sampler": "ddim"}):
        assert drawn(**changes) == 4 and drawn(**changes) == 0
    assert drawn(guidance={"params": {"guidance_scale": 1.5}}) == 0, "the default, said out loud"
    assert drawn(oracle=False) == 4  # what was read belongs to who read it
    assert len(list((tmp_path / "e").glob("*.jsonl"))) == 8


def test_nobody_is_shown_a_preview_of_what_is_measured(
    model: Path, edits: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews: list[int] = []
    monkeypatch.setattr("studio.engine.progress.Progress._preview", lambda *given: previews.append(1))
    engine = Engine(EngineConfig(models={"stencil": model}, device="cpu", kinds={"evaluate": KIND}))
    picture(engine, CASES[0], edits)
    assert previews, "one that somebody waits for has them"
    previews.clear()
    Job(engine, tmp_path / "e", edits).finish()
    assert previews == []


def test_results_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    digests = [digit * 64 for digit in "abcd"]
    for used_at, digest in enumerate(digests):
        results_path(tmp_path, digest).write_bytes(b"x" * 100)
        os.utime(results_path(tmp_path, digest), (used_at, used_at))
    (tmp_path / "notes.jsonl").write_bytes(b"x" * 1000)  # somebody else's

    def kept() -> list[str]:
        return [digest[0] for digest in digests if results_path(tmp_path, digest).exists()]

    tidy(tmp_path, [digests[0], "e" * 64], most_bytes=400)
    assert kept() == ["a", "b", "c", "d"], "they fit"
    tidy(tmp_path, [digests[2]], most_bytes=200)
    assert kept() == ["a", "c"], "a was used since, and c is at hand"
    tidy(tmp_path, [digests[2]], most_bytes=0)
    assert kept() == ["c"] and (tmp_path / "notes.jsonl").exists()


def test_an_evaluation_tidies_before_it_draws(
    engine: Engine, edits: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidy, "__defaults__", (0,))
    Job(engine, tmp_path, edits, cases=CASES[:1]).finish()
    Job(engine, tmp_path, edits, cases=CASES[:1], steps=3).finish()
    assert [path.stem for path in tmp_path.glob("*.jsonl")] == [*read_run(tmp_path, RUN).digests]


def test_two_stacks_that_come_to_the_same_are_drawn_once(
    engine: Engine, edits: dict[str, str], tmp_path: Path, counted: list[int]
) -> None:
    job = Job(engine, tmp_path / "e", edits, stacks=((), ({**E, "strength": 0.0},))).finish()
    assert len(counted) == 4 and set(job.facts(0)) == set(job.facts(1))


def test_each_stack_may_be_drawn_in_its_own_way(
    engine: Engine, edits: dict[str, str], tmp_path: Path, counted: list[int]
) -> None:
    """The base as it is, and with a negative prompt in attention: kept apart, and each as drawn alone."""
    case = Case("a red star", 5, Wanted((("star", "red"),)), negative="blue")
    nag = {"guidance": {"method": "nag"}, "negative": "field"}
    both = Job(engine, tmp_path / "e", edits, cases=[case], stacks=((), ()), protocols=({}, nag)).finish()
    assert len(counted) == 2 and both.facts(0)[case.key].sha256 != both.facts(1)[case.key].sha256
    alone = Job(engine, tmp_path / "f", edits, cases=[case], **nag).finish()
    assert alone.facts()[case.key].sha256 == both.facts(1)[case.key].sha256
    with pytest.raises(BadInput, match="A stack of edits is asked for twice"):
        Job(engine, tmp_path / "e", edits, stacks=((), ()), protocols=(nag, nag)).finish()
    with pytest.raises(BadInput, match="There are 1 protocols for 2 stacks; give one for each"):
        Job(engine, tmp_path / "e", edits, stacks=((), (E,)), protocols=(nag,)).finish()


def test_a_suite_is_drawn_under_the_stacks_it_names(
    engine: Engine, edits: dict[str, str], tmp_path: Path, counted: list[int]
) -> None:
    job = Job(engine, tmp_path / "e", edits, stacks=((), (E,)), under=(1,)).finish()
    assert len(counted) == 4 and job.facts(0) == {} and set(job.facts(1)) == {case.key for case in CASES}
    assert job.of("done")[-1]["drawn"] == 4
    # Off, the edit is the base, and what is known of one suite does not keep another from being drawn.
    off = Job(engine, tmp_path / "e", edits, stacks=((), ({**E, "strength": 0.0},)), under=(1,)).finish()
    assert len(counted) == 8 and set(off.facts(0)) == set(off.facts(1))


def test_it_gives_way_after_every_evaluation_and_leaves_the_base(
    engine: Engine, edits: dict[str, str], tmp_path: Path
) -> None:
    network = engine.bundle("stencil").components()["unet"]
    weights, plain = full_hash(network), picture(engine, CASES[0], edits)
    alone = Job(engine, tmp_path / "alone", edits, stacks=((E,),)).finish()
    job, turns = Job(engine, tmp_path / "beside", edits, stacks=((E,),)), 0
    for _ in job.steps:
        turns += 1
        if turns % 3 == 0:
            assert picture(engine, CASES[0], edits) == plain
    assert turns >= 2 * len(CASES)
    assert full_hash(network) == weights
    assert {key: each.sha256 for key, each in job.facts().items()} == {
        key: each.sha256 for key, each in alone.facts().items()
    }


@pytest.mark.parametrize("batching", ["isolated", "shared"])
def test_stopped_or_killed_it_goes_on_where_it_was(
    engine: Engine,
    edits: dict[str, str],
    tmp_path: Path,
    counted: list[int],
    batching: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluator, "BLOCK", 2)
    monkeypatch.setattr(evaluator, "TOGETHER", 2)
    unbroken = Job(engine, tmp_path / "unbroken", edits, batching=batching).finish().facts()
    for stop in (True, False):
        folder, kept = tmp_path / f"broken-{stop}", 0
        job = Job(engine, folder, edits, batching=batching)
        for _ in job.steps:
            kept = len(job.facts()) if job.of("progress") else 0
            if kept >= 2:
                break
        if stop:
            with pytest.raises(Cancelled):
                job.steps.throw(Cancelled("stopped"))
            assert len(job.facts()) == kept, "Stop keeps what is there"
        else:
            job.steps.close()  # as a kill: nothing is said to it
        counted.clear()
        again = Job(engine, folder, edits, batching=batching).finish()
        assert len(counted) == 4 - kept
        assert {key: each.plain() for key, each in again.facts().items()} == {
            key: each.plain() for key, each in unbroken.items()
        }


def test_without_an_oracle_tones_are_measured_and_nothing_is_read(
    engine: Engine, edits: dict[str, str], tmp_path: Path
) -> None:
    job = Job(engine, tmp_path / "e", edits, oracle=False).finish()
    assert {(each.reading, each.features is None) for each in job.facts().values()} == {(None, True)}
    assert all(0 <= each.tones["saturation"] <= 1 for each in job.facts().values())
    assert list(job.of("measure")[-1]["values"]) == ["stars, base: saturation"]


def test_a_full_disk_is_told_and_ends_the_job_where_it_stays_full(
    engine: Engine, edits: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = store._append, [0]

    def full(path: Path, data: bytes) -> None:
        calls[0] += 1
        if calls[0] in refused:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(path, data)

    monkeypatch.setattr(store, "_append", full)
    refused: Any = {2, 3}
    job = Job(engine, tmp_path / "for a while", edits).finish()
    assert any("disk is full" in data.get("trouble", "") for data in job.of("progress"))
    assert "trouble" not in job.of("progress")[-1] and len(job.facts()) == 4
    refused = range(1000)
    with pytest.raises(WorkspaceError, match="disk is full"):
        Job(engine, tmp_path / "for good", edits).finish()
