"""Evaluations as the studio runs them: queued, killed, gone on with, refused in a sentence, reported."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef
from studio.core.settings import Settings
from studio.engine.events import Event
from studio.services.evaluations import TIDIED, UNREAD, Evaluation, report
from studio.services.sources import Sources
from studio.services.studio import Studio
from studio.storage.jobs import JobRecord
from tests.services.test_trainings import is_step, until
from tests.training.evaluate import toy_suite as _toy  # noqa: F401  # one file: registered by being imported
from tests.training.evaluate.test_rows import result

pytestmark = pytest.mark.usefixtures("quick_workers")

REQUEST: dict[str, Any] = {
    "parts": [{"suite": "toy-stars", "pictures": 6}],
    "protocol": {"steps": 2, "batching": "isolated"},
}


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings) as opened:
        yield opened


def ended(studio: Studio, job: str) -> list[Event]:
    return until(studio, job, lambda event: event.final, seconds=600)


def asked(**changes: Any) -> dict[str, Any]:
    return {**REQUEST, **changes}


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_worker_killed_in_the_middle_goes_on_where_it_was(studio: Studio) -> None:
    whole = studio.evaluations.start(asked(parts=[{"suite": "toy-stars", "pictures": 24}]))
    assert ended(studio, whole)[-1].kind == "done"
    unbroken = studio.evaluations.measured(studio.jobs.get(whole))[0]
    assert (unbroken.label, len(unbroken.results), unbroken.pictures) == ("base", 24, 24)
    # The same once more finds all of it; drawn otherwise, all is drawn anew.
    again = ended(studio, studio.evaluations.start(asked(parts=[{"suite": "toy-stars", "pictures": 24}])))
    assert again[-1].data["drawn"] == 0  # progress is fleeting, and may be gone before anybody looks
    for path in studio.evaluations.folder.glob("*.jsonl"):
        path.unlink()
    job = studio.evaluations.start(asked(parts=[{"suite": "toy-stars", "pictures": 24}]))
    until(studio, job, is_step(5), seconds=600)
    pid = studio.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(studio, job)[-1].data["type"] == "WorkerDied"
    kept = len(studio.evaluations.measured(studio.jobs.get(job))[0].results)
    assert 4 <= kept
    retried = studio.jobs.retry(job)
    assert (
        studio.jobs.get(retried).payload["known"] == kept
        and studio.jobs.get(retried).digest != studio.jobs.get(job).digest
    )
    events = ended(studio, retried)
    assert events[-1].kind == "done"
    (other,) = studio.evaluations.measured(studio.jobs.get(retried))
    assert [each.facts.plain() for each in other.results] == [each.facts.plain() for each in unbroken.results]
    assert studio.jobs.get(retried).description == "toy-stars with base" and studio.history.newest() == []


def job_of(payload: dict[str, Any], status: str = "failed") -> JobRecord:
    from types import SimpleNamespace

    job: Any = SimpleNamespace(payload=payload, id="abc", status=status)
    return job


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"parts": []}, BadInput, "parts"),
        ({"parts": [{"suite": "gone"}]}, NotFound, "There is no suite named 'gone'"),
        ({"parts": [{"suite": "../x"}]}, BadInput, "suite"),
        ({"parts": [{"suite": "toy-stars", "pictures": 101}]}, BadInput, "draws 1 to 100 pictures, not 101"),
        ({"parts": [{"suite": "toy-stars"}, {"suite": "toy-stars"}]}, BadInput, "asked for twice"),
        ({"parts": [{"suite": "mine", "cases": [{"prompt": "a star"}]}]}, BadInput, "needs a prompt and a seed"),
        ({"parts": [{"suite": "mine", "cases": [{"prompt": "a", "seed": 1}] * 2}]}, BadInput, "twice with one seed"),
        ({"stacks": [[{"edit": "gone"}]]}, NotFound, "gone"),
        ({"stacks": [[{"edit": "live:abc"}]]}, BadInput, "still being trained cannot be evaluated"),
        ({"parts": [{"suite": "toy-stars", "stacks": [1]}]}, BadInput, "a stack that is not among the 1"),
        ({"stacks": [[], []]}, BadInput, "stack of edits is asked for twice"),
        ({"model": "gone"}, BadInput, "gone"),
        ({"protocol": {"steps": 0}}, BadInput, "steps"),
        ({"protocol": {"negative": "composed"}}, BadInput, "has no negative prompt"),
        ({"protocol": {"guidance": {"method": "magic"}}}, NotFound, "magic"),
        (
            {"parts": [{"suite": "one-object", "pictures": 400}], "stacks": [[{"edit": f"e{i}"}] for i in range(51)]},
            BadInput,
            "at most 20,000 pictures, not 20,400",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_sentence(
    settings: Settings, changes: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with Studio(settings, backend="inline") as studio:
        with pytest.raises(kind, match=said):
            studio.evaluations.start(asked(**changes))
        assert studio.jobs.newest() == []


def test_a_ledger_that_names_another_place_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    with Studio(settings, backend="inline") as studio:
        for run in ("../../elsewhere", str(tmp_path), "", None, "0" * 31):
            payload = {"kind": "evaluate", "request": asked(), "run": run}
            with pytest.raises(BadInput, match="does not say which run"):
                studio.evaluations.retry(job_of(payload))
            with pytest.raises(BadInput, match="does not say which run"):
                studio.evaluations.measured(job_of(payload))
        payload = {"kind": "evaluate", "request": asked(), "run": "0" * 32}
        runs = studio.evaluations.folder / "runs"
        runs.mkdir(parents=True)
        for content in ("", "{}", '{"digests": ["../../x"], "threads": 1}', '{"digests": 5, "threads": 1}'):
            (runs / f"{'0' * 32}.json").write_text(content)
            (nothing,) = studio.evaluations.measured(job_of(payload))
            assert (nothing.results, nothing.pictures, nothing.why_unread) == ((), 6, "")
        (tidied,) = studio.evaluations.measured(job_of(payload, "done"))
        assert tidied.why_unread == TIDIED, "they were there once"


def test_the_oracle_reads_what_any_model_of_the_world_draws(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the words it was taught in, and not by its name: a Stencil tuned further is read, a model of photos is not."""
    models = tmp_path / "models"
    shutil.copytree(settings.model_dir, models / "tuned")
    shutil.copytree(settings.model_dir, models / "photos")
    words = models / "photos" / "tokenizer" / "tokenizer.json"
    words.write_text(words.read_text(encoding="utf-8").replace('"ÿ":', '"cat":'), encoding="utf-8")
    settings = settings.model_copy(update={"models_dir": models})
    sources = Sources(settings)
    assert [sources.is_of_world(model) for model in ("stencil", "tuned", "photos")] == [True, True, False]
    with Studio(settings, backend="inline") as studio:
        places: list[dict[str, Any]] = []
        monkeypatch.setattr(studio.jobs, "submit", lambda *given, **named: places.append(named["places"]))
        for model in ("stencil", "tuned", "photos"):
            protocol = studio.evaluations.usual_protocol(model)
            assert protocol.batching == ("isolated" if model == "photos" else "shared")
            studio.evaluations.start(asked(model=model))
        assert [place["oracle"] for place in places] == [True, True, False]


def test_a_report_tells_what_differs_from_the_first_stack() -> None:
    edit = (EditRef(edit="no-star", strength=0.5),)
    base, edited = (result("a", 1), result("b", 1)), (result("a", 1, "fish"),)
    first, second = report([Evaluation("stars", (), base, 2), Evaluation("stars", edit, edited, 2)])
    assert (first["label"], first["pictures"], first["of"]) == ("base", 2, 2) and "against" not in first
    assert (second["label"], second["pictures"], second["of"]) == ("no-star at 0.5", 1, 2)
    rows = {row["name"]: row for row in second["against"]["rows"]}
    assert second["against"]["label"] == "base" and (rows["object"]["value"], rows["object"]["n"]) == (-1.0, 1)
    assert all("n" in row and "low" in row for part in (first, second) for row in part["rows"])


def test_rows_without_an_oracle_say_why() -> None:
    results = (result("a", 1, read=False),)
    (told,) = report([Evaluation("stars", (), results, 1, UNREAD)])
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["as stated"]["why"] == UNREAD and rows["as stated"]["n"] == 0
    assert rows["saturation"]["n"] == 1 and "why" not in rows["saturation"]
