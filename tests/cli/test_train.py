"""The verb `train`, with the toy losses on a tiny model: what it makes, how it stops and goes on, how it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from studio.engine.events import Event
from studio.services import sources
from studio.services.jobs import JobService
from studio.storage.workspace import Workspace
from tests.tiny_model import build_once
from tests.training.lora.test_trainer import LOSSES, PLAN

Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, the small model and the toy losses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(build_once(tmp_path_factory)))
    monkeypatch.setenv("PALIMPSEST_DEVICE", "cpu")
    monkeypatch.setenv("PALIMPSEST_THREADS", "1")
    monkeypatch.setattr(sources, "LOSSES", LOSSES)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command with --json; gives its exit code, its answer (None without one) and its remarks."""

    def command(*arguments: str) -> tuple[int, Any, str]:
        code = cli.main([*arguments, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return command


def write_plan(**changes: Any) -> str:
    Path("plan.json").write_text(json.dumps({**PLAN, **changes}))
    return "plan.json"


def interrupted_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Ctrl-C were pressed at a step of the training."""

    def on_event(event: Event) -> None:
        if event.kind == "progress" and event.data["step"] >= step:
            raise KeyboardInterrupt

    wait = JobService.wait

    def pressed(jobs: JobService, job_id: str, follow: Any = None) -> None:
        wait(jobs, job_id, on_event if follow is not None else None)

    monkeypatch.setattr(JobService, "wait", pressed)


def test_a_plan_becomes_an_edit_that_is_told_and_listed(run: Command) -> None:
    code, answer, _ = run("train", write_plan())
    assert (code, answer["status"], answer["kind"]) == (0, "done", "train")
    assert answer["training"]["step"] == answer["training"]["steps"] == 6 and answer["training"]["values"]
    _, listed, _ = run("edits", "list")
    assert [edit["id"] for edit in listed["edits"]] == answer["edits"] and listed["edits"][0]["name"] == "towards blue"
    assert run("jobs", "show", str(answer["number"]))[1]["training"] == answer["training"]
    assert cli.main(["jobs", "show", str(answer["number"])]) == 0


def test_stopped_it_says_how_to_go_on_and_goes_on_there(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as pressing:
        interrupted_at(2, pressing)
        code, answer, err = run("train", write_plan(steps=20))
    assert (code, answer) == (130, None) and "python3 launch.py train --resume 1" in err
    _, stopped, _ = run("jobs", "show", "1")
    assert stopped["status"] == "cancelled" and 2 <= stopped["training"]["step"] < 20
    code, answer, _ = run("train", "--resume", "1")
    assert (code, answer["status"], answer["retry_of"]) == (0, "done", stopped["id"])
    assert answer["payload"]["from_step"] >= 2 and answer["training"]["step"] == 20


def test_what_cannot_be_trained_is_one_sentence_and_leaves_no_job(run: Command, place: Path) -> None:
    (place / "list.json").write_text("[1]")
    (place / "torn.json").write_text('{"name": ')
    refusals = {
        (): "Name either a plan or",
        ("nowhere.json",): "cannot be read",
        ("list.json",): "must be a JSON object",
        ("torn.json",): "is not valid JSON",
        (write_plan(loss="gone"),): "There is no loss named 'gone'. There are breaks, ",
        ("--resume", "7"): "There is no job '7'",
    }
    for arguments, sentence in refusals.items():
        code, answer, err = run("train", *arguments)
        assert code == 2 and sentence in err and answer["error"] == err.strip(), arguments
    holder = Workspace.open(place / "workspace")  # as a running studio does
    assert "is in use by process" in run("train", write_plan())[2]
    holder.close()
    run("generate", "a red star", "--steps", "1")
    assert [job["kind"] for job in run("jobs", "list")[1]["jobs"]] == ["generate"]
    assert "Job 1 is no training" in run("train", "--resume", "1")[2]
