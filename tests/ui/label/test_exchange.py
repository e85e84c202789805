"""Import and export without a browser: files that come in by the address, what is said of them, what is fetched."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.preference.answer import Answer
from studio.ui import security
from studio.ui.label.exchange import form, runs_html
from studio.ui.label.exchange.handlers import Handlers
from studio.ui.label.exchange.routes import routes
from tests.services.labels.test_exchange import mixed_set
from tests.ui.fake_studio import FakeStudio
from tests.ui.label.campaigns import campaign

SET = "a" * 32
FIELDS: dict[str, Any] = {
    "labels": form.ALL,
    "format": "jsonl",
    "ties": "half",
    "anonymise": True,
    "limit": None,
    "rows": "each",
    "question": "overall",
    "checks": False,
    "superseded": False,
    "validation": 0.1,
}


@pytest.fixture
def client(fake: FakeStudio) -> Iterator[TestClient]:
    """The addresses behind the page's guards."""
    app = Starlette(routes=routes(fake), middleware=security.middleware("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def send(client: TestClient, name: str, data: bytes, id: str = SET, kind: str = "application/octet-stream") -> Any:
    query = {"set": id, "name": name}
    return client.post(security.LABEL_UPLOAD, params=query, content=data, headers={"Content-Type": kind})


def waited(studio: FakeStudio) -> str:
    """The list, once nothing is under way."""
    for run in studio.exchange_runs.list():
        studio.exchange_runs.wait(run.id)
    return runs_html.runs_html(studio)


def scratch(studio: FakeStudio) -> list[Path]:
    return list((studio.settings.workspace / "cache").iterdir())


def test_a_folder_comes_in_as_it_lies_and_what_cannot_be_read_is_named(
    fake: FakeStudio, client: TestClient, tmp_path: Path
) -> None:
    do = Handlers(fake)
    source, made = mixed_set(tmp_path)
    broken = json.dumps({"prompt": "<b>a</b>", "pictures": [], "answer": {"mode": "x"}, "mood": 1}).encode()
    assert send(client, "set/labels.jsonl", source.read_bytes() + broken).status_code == 200
    assert send(client, "set/images/left.png", b"x" * 3_000_000).status_code == 200  # more than a form may have
    arrived = do.arrived(SET)
    assert "set: Palimpsest&#x27;s JSON lines. Press Import." in arrived["arrived"]
    waiting = arrived["waiting"]
    begun = do.bring_in(waiting, "", "from a friend")
    assert begun["message"] == "" and begun["waiting"] is None and "Import of set into" in begun["runs"]
    ended = waited(fake)
    assert f"{len(made)} labels taken in, into “from a friend” and" in ended and "read as Palimpsest" in ended
    assert "100 % of them no model of this studio drew" in ended and "Nothing was done with: mood." in ended
    assert f"<b>Row {len(made) + 1}</b>: " in ended and "Not taken: 1 row" in ended
    assert scratch(fake) == []
    assert "not waiting any more" in do.bring_in(waiting, "", "x")["message"]
    assert "There are no files yet" in do.bring_in(None, "", "x")["message"]


def test_a_zip_file_is_unpacked_and_one_that_is_none_is_said(
    fake: FakeStudio, client: TestClient, tmp_path: Path
) -> None:
    do = Handlers(fake)
    source, _ = mixed_set(tmp_path)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(source, "set/labels.jsonl")
    assert send(client, "set.zip", (tmp_path / "set.zip").read_bytes()).status_code == 200
    arrived = do.arrived(SET)
    assert "labels.jsonl: Palimpsest" in arrived["arrived"] and do.arrived(SET)["waiting"] == arrived["waiting"]
    other = "b" * 32
    send(client, "set.zip", b"PK no", other)
    assert "cannot be unpacked" in do.arrived(other)["arrived"] and do.arrived(other)["waiting"] is None
    unlike = "c" * 32
    send(client, "notes.txt", b"hello", unlike)
    assert "No format is recognised" in do.arrived(unlike)["arrived"]
    assert "No format is recognised" in do.bring_in(do.arrived(unlike)["waiting"], "", "x")["message"]
    do.bring_in(do.arrived(unlike)["waiting"], "jsonl", "x")  # somebody says what it is, and is told that it is not
    assert "No label was taken in" in waited(fake) and "Not taken: 1 row" in waited(fake)


def test_only_files_of_a_set_are_taken(fake: FakeStudio, client: TestClient) -> None:
    assert send(client, "a/b.png", b"x").status_code == 200
    for name in ("../x", "/etc/x", "C:\\x", "", "a/../../x", "x" * 300, "a/b.png", "a/b.png/c"):
        reply = send(client, name, b"x")
        assert reply.status_code == 422 and reply.json()["error"], name
    assert send(client, "x", b"x", id="../../x").status_code == 422
    assert send(client, "x", b"x", kind="text/plain").status_code == 422
    (folder,) = scratch(fake)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == ["set/a/b.png"]
    for number in range(9):  # of too many sets, the one that waits longest goes
        assert send(client, "x", b"x", id=f"{number:032d}").status_code == 200
    assert not folder.exists() and len(scratch(fake)) == 8


def test_labels_go_out_without_names_and_are_fetched(fake: FakeStudio, client: TestClient) -> None:
    do = Handlers(fake)
    failed = do.send_out(FIELDS)
    assert failed["message"] == "" and "There is no label to write" in waited(fake)
    made = campaign(fake, name="stars")
    fake.labels.annotator("Ada")
    for number, question in enumerate(fake.labels.lease(made.id, "Ada", 3)):
        fake.labels.vote(f"vote-{number}", question.token, Answer.pair("first"))
    fake.labels.snapshot("frozen", held_out_share=0)
    looked = do.look(form.ALL)
    assert [value for _, value in looked["labels"].choices] == [form.ALL, f"campaign:{made.id}", "snapshot:frozen"]
    assert "value" not in looked["labels"].constructor_args  # something else may be chosen before this arrives
    assert do.look("campaign:999")["labels"].value == form.ALL == do.choose(999)["labels"].value
    assert do.choose(made.id)["labels"].value == f"campaign:{made.id}" and do.choose(made.id)["direction"] == "out"

    text = do.describe(f"campaign:{made.id}")["description"]
    assert "Campaign “stars”: 3 answers by 1 person, about 6 pictures of 3 prompts." in text
    assert "Answers: one of two is better 3." in text
    assert "Snapshot “frozen”: 3 answers" in do.describe("snapshot:frozen")["description"]
    assert "Not kept in it" in do.about("kto")["about"] and "It keeps everything" in do.about("jsonl")["about"]

    do.send_out({**FIELDS, "labels": f"campaign:{made.id}", "limit": 2})
    ended = waited(fake)
    run = fake.exchange_runs.list()[0]
    assert "2 labels in 2 rows, 4 pictures." in ended and f'href="/label/exchange/file/{run.id}"' in ended
    assert "1 label, beyond the limit" in ended
    reply = client.get(f"/label/exchange/file/{run.id}")
    assert reply.status_code == 200 and "stars.jsonl" in reply.headers["content-disposition"]
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert len(lines) == 2 and all(line["annotator"].startswith("anon-") for line in lines)
    states = client.get("/label/exchange/runs").json()["runs"]
    assert [state["state"] for state in states] == ["done", "failed"] and states[0]["share"] == 1
    do.act("forget", run.id, form.ALL)
    assert client.get(f"/label/exchange/file/{run.id}").status_code == 404
    assert client.post("/label/exchange/stop", json={"id": "x"}).status_code == 404
    for wrong, said in (
        ({"limit": 1.5}, "A limit is a whole number"),
        ({"labels": "campaign:99"}, "no campaign"),
        ({"format": "csv"}, "format of labels"),
    ):
        assert said in do.send_out({**FIELDS, **wrong})["message"], wrong
    assert "There is nothing to do" in do.act("explode", run.id, form.ALL)["message"]
