"""The typed endpoints, as a program sees them: over HTTP, on the served page."""

from __future__ import annotations

import inspect
import json
import re
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from studio.core.recipe import Recipe
from studio.ui.api.campaigns import CampaignApi
from studio.ui.api.comparisons import ComparisonApi
from studio.ui.api.edits import EditApi
from studio.ui.api.pictures import PictureApi
from tests.ui.endpoints import ENDPOINTS
from tests.ui.serving import ROOT, Served
from tests.ui.stencil_edits import edit_file

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = Client(served.url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def raw(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=120) as found:
        yield found


def finished(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while not job["over"]:
        assert time.monotonic() < deadline, job
        time.sleep(0.01)
        job = client.predict(job=job["id"], api_name="/job")
    return job


@cache  # to read all that a page tells of its endpoints takes longer than a call
def endpoints(client: Client) -> dict[str, Any]:
    info: Any = client.view_api(return_format="dict", print_info=False)
    return {name.removeprefix("/"): endpoint for name, endpoint in info["named_endpoints"].items()}


def parameters(client: Client, name: str) -> dict[str, Any]:
    return {one["parameter_name"]: one for one in endpoints(client)[name]["parameters"]}


# -- what there is --------------------------------------------------------------------------------------------------


def test_types_and_defaults_are_told(client: Client) -> None:
    assert sorted(endpoints(client)) == sorted(ENDPOINTS)
    for name, endpoint in endpoints(client).items():
        assert endpoint["description"], name
        assert all(one["python_type"]["type"] != "Any" for one in endpoint["parameters"]), name
        assert endpoint["returns"][0]["python_type"]["type"] != "Any", name
    found = parameters(client, "generate")
    assert {*Recipe.model_fields, "count", "priority"} == set(found)
    assert (found["steps"]["python_type"]["type"], found["steps"]["parameter_default"]) == ("int", 20)
    assert found["syntax"]["python_type"]["type"] == "Literal['a1111', 'compel', 'plain']"
    assert parameters(client, "recipe_of")["file"]["python_type"]["type"] == "filepath"


def test_the_page_names_every_endpoint_and_no_other() -> None:
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    assert sorted(re.findall(r"`/(\w+)`", table.replace("`/generate` answers", ""))) == sorted(ENDPOINTS)


def test_the_page_s_examples_run(served: Served, client: Client, tmp_path: Path, monkeypatch: Any) -> None:
    made = client.predict(api_name="/history")["pictures"][0]
    (tmp_path / "star.png").write_bytes(httpx.get(served.url + made["url"]).content)
    edit_file(tmp_path / "my_lora.safetensors")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    known: dict[str, Any] = {}
    try:
        exec(code.replace("http://127.0.0.1:7860", served.url), known)
        assert known["again"]["status"] == "done" and known["edit"]["name"] == "My LoRA"
    finally:
        known["studio"].close()


# -- what it does ---------------------------------------------------------------------------------------------------


def test_a_job_from_wish_to_picture(served: Served, client: Client) -> None:
    job = client.predict(prompt="a green ring", seed=2**64 - 2, count=2, steps=3, api_name="/generate")
    assert (job["status"], job["over"]) == ("queued", False) or job["status"] == "running"
    job = finished(client, job)
    assert job["status"] == "done" and len(job["pictures"]) == 2
    assert client.predict(job=str(job["number"]), api_name="/job") == job
    assert client.predict(limit=1, api_name="/jobs")[0]["id"] == job["id"]
    events = client.predict(job=job["id"], api_name="/job_events")
    assert [event["kind"] for event in events if event["kind"] != "preview"][-1] == "done" and events[-1]["final"]
    assert client.predict(job=job["id"], since=events[-1]["seq"], api_name="/job_events") == []
    pictures = [client.predict(picture=id, api_name="/picture") for id in job["pictures"]]
    assert [one["recipe"]["seed"] for one in pictures] == [2**64 - 2, 2**64 - 1]
    assert {event["data"]["url"] for event in events if event["kind"] == "image"} == {one["url"] for one in pictures}
    assert (pictures[0]["recipe"]["width"], pictures[0]["recipe"]["prompt"]) == (128, "a green ring")
    assert httpx.get(served.url + pictures[0]["url"]).headers["Content-Type"] == "image/png"
    found = client.predict(search="GREEN", seed=2**64 - 1, model="stencil", api_name="/history")
    assert found == {"total": 1, "pictures": [pictures[1]], "unreadable": []}
    assert client.predict(search="green", made_until="2001-01-01T00:00:00Z", api_name="/history")["total"] == 0
    same = client.predict(first=pictures[0]["id"], second=pictures[0]["id"], api_name="/compare")
    other = client.predict(first=pictures[0]["id"], second=pictures[1]["id"], api_name="/compare")
    assert same["identical"] and not other["identical"] and other["max_difference"] > 0


def test_a_replay_has_as_many_threads_as_the_picture_had() -> None:
    studio = Mock()
    studio.history.get.return_value = Mock(recipe=Recipe(prompt="a star"), made_by={"threads": 1})
    api = PictureApi(studio)
    api.job = Mock()  # type: ignore[method-assign]
    api.replay(7)
    studio.pictures.submit.assert_called_once_with([Recipe(prompt="a star")], "interactive", threads=1)


def test_stopping(client: Client) -> None:
    job = client.predict(prompt="a stopped star", steps=1000, count=3, api_name="/generate")
    client.predict(job=job["id"], keep=False, api_name="/stop")
    job = finished(client, job)
    assert (job["status"], job["pictures"]) == ("cancelled", [])


def test_recipes_of_uploads_which_are_not_kept(served: Served, client: Client, tmp_path: Path) -> None:
    made = client.predict(api_name="/history")["pictures"][0]
    (tmp_path / "one.png").write_bytes(httpx.get(served.url + made["url"]).content)
    found = client.predict(file=handle_file(str(tmp_path / "one.png")), api_name="/recipe_of")
    assert found == {"recipe": made["recipe"], "ours": True, "left_out": []}
    (tmp_path / "bad.png").write_bytes(b"GIF89a")
    with pytest.raises(AppError, match=r"The file bad\.png is no"):
        client.predict(file=handle_file(str(tmp_path / "bad.png")), api_name="/recipe_of")
    assert not [path for path in (served.folder / "cache").rglob("*.png") if path.is_file()]


def test_edits_in_and_out(served: Served, client: Client, tmp_path: Path) -> None:
    file = handle_file(str(edit_file(tmp_path / "some.safetensors", "Some", size=0.2)))
    edit = client.predict(file=file, name="Without rings", api_name="/import_edit")
    assert (edit["name"], edit["problem"]) == ("Without rings", "") and "path" not in edit
    assert edit in client.predict(api_name="/edits")
    for style in ("diffusers", "peft"):
        told = client.predict(edit=edit["id"], style=style, api_name="/export_edit")
        answer = httpx.get(served.url + told["url"])
        assert (answer.status_code, len(answer.content)) == (200, told["bytes"])
        (tmp_path / told["file"]).write_bytes(answer.content)
    assert zipfile.is_zipfile(tmp_path / told["file"])
    back = client.predict(file=handle_file(str(tmp_path / told["file"])), name="Back", api_name="/import_edit")
    assert back["layers"] == edit["layers"]


def test_models_and_status(client: Client) -> None:
    (model,) = client.predict(api_name="/models")
    assert (model["name"], model["problem"], model["default_size_px"]) == ("stencil", None, 128)
    assert client.predict(api_name="/status")["state"] in ("ready", "busy")


# -- what it refuses ------------------------------------------------------------------------------------------------

LONG = "x" * 10_001
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("generate", {"version": 2}, "version 2"),
    ("generate", {"model": "dall-e"}, "no model named 'dall-e'"),
    ("generate", {"model": 5}, "model must be valid text of at most 500"),
    ("generate", {"prompt": LONG}, "prompt must be valid text of at most 10000 characters, not 10001"),
    ("generate", {"prompt": "\ud800"}, "prompt must be valid text"),
    ("generate", {"negative_prompt": ["x"]}, "negative_prompt must be valid text"),
    ("generate", {"more_negatives": [{"prompt": "x", "weight": 11}]}, "weight must be a number from 0 to 10"),
    ("generate", {"more_negatives": "x"}, "more_negatives must be a list of at most 16"),
    ("generate", {"syntax": "poem"}, "syntax must be one of a1111, compel, plain, not 'poem'"),
    ("generate", {"seed": -1}, "seed must be a whole number from 0 to 18446744073709551615, not -1"),
    ("generate", {"seed": 2**64}, "seed must be a whole number"),
    ("generate", {"seed": "7"}, "seed must be a whole number"),
    ("generate", {"seed": 2**64 - 1, "count": 2}, "seed must be a whole number"),
    ("generate", {"variation_seed": 0.5}, "variation_seed must be a whole number"),
    ("generate", {"variation_strength": 1.5}, "variation_strength must be a number from 0 to 1, not 1.5"),
    ("generate", {"width": 7}, "width must be a multiple of 8 from 32 to 2048, not 7"),
    ("generate", {"height": 65536}, "height must be a multiple of 8 from 32 to 2048, not 65536"),
    ("generate", {"steps": 0}, "steps must be a whole number from 1 to 1000, not 0"),
    ("generate", {"steps": 10**9}, "steps must be a whole number from 1 to 1000"),
    ("generate", {"steps": True}, "steps must be a whole number from 1 to 1000, not True"),
    ("generate", {"steps": None}, "steps must be a whole number from 1 to 1000, not None"),
    ("generate", {"sampler": "heun"}, "no sampler named 'heun'"),
    ("generate", {"sampler": "ddim", "sampler_params": {"eta": 2.0}}, "eta must be a number from 0"),
    ("generate", {"sampler_params": 3}, "sampler_params must be"),
    ("generate", {"spacing": "nonsense"}, "named 'nonsense'"),
    ("generate", {"guidance": {"method": "cgf"}}, "did you mean 'cfg'"),
    ("generate", {"guidance": {"params": {"guidance_scale": 31}}}, "guidance_scale must be a number from 0"),
    ("generate", {"edits": [{"edit": "x"}]}, "no edit named 'x'"),
    ("generate", {"edits": [{"edit": "x", "strength": 11}]}, "strength must be a number from -10 to 10, not 11"),
    ("generate", {"batching": "both"}, "batching must be one of isolated, shared"),
    ("generate", {"count": 0}, "count must be a whole number from 1 to 256, not 0"),
    ("generate", {"count": 257}, "count must be a whole number from 1 to 256, not 257"),
    ("generate", {"priority": "now"}, "priority must be one of interactive, background, not 'now'"),
    ("job", {"job": "nonsense"}, "no job"),
    ("job", {"job": LONG}, "job must be valid text of at most 100 characters"),
    ("job_events", {"job": "1", "since": -1}, "since must be a whole number from 0"),
    ("jobs", {"limit": 0}, "limit must be a whole number from 1 to 200, not 0"),
    ("jobs", {"below_number": 2**63}, "below_number must be a whole number from 0"),
    ("stop", {"job": None}, "job must be valid text"),
    ("stop", {"job": "1", "keep": "yes"}, "keep must be true or false, not 'yes'"),
    ("replay", {"picture": 10**6}, "no picture number 1000000"),
    ("compare", {"first": 0, "second": 1}, "first must be a whole number from 1"),
    ("history", {"limit": 1001}, "limit must be a whole number from 1 to 1000, not 1001"),
    ("history", {"search": LONG}, "search must be valid text of at most 1000"),
    ("history", {"seed": -1}, "seed must be a whole number from 0"),
    ("history", {"deleted": 1}, "deleted must be true or false, not 1"),
    ("history", {"made_from": "soon"}, "made_from must be a time such as"),
    ("history", {"made_from": "2026-01-01"}, "made_from must be a time with its zone"),
    ("picture", {"picture": 2**63}, "picture must be a whole number from 1"),
    ("recipe_of", {"file": {"path": "/etc/passwd"}}, "must be a file that was uploaded here"),
    ("recipe_of", {"file": {"path": "../" * 30 + "etc/passwd"}}, "must be a file that was uploaded here"),
    ("recipe_of", {"file": "/etc/passwd"}, "must be a file that was uploaded here"),
    ("import_edit", {"file": {"path": "x\0y"}}, "must be a file that was uploaded here"),
    ("import_edit", {"file": None}, "must be a file that was uploaded here"),
    ("export_edit", {"edit": "x"}, "no edit named 'x'"),
    ("export_edit", {"edit": "../../studio.db"}, "no edit named"),
    ("campaigns", {"archived": "yes"}, "archived must be true or false"),
    ("campaign", {"campaign": 5}, "campaign must be valid text"),
    ("draw_campaign", {"campaign": "gone"}, "no campaign"),
    ("draw_campaign", {"campaign": "gone", "on": 1}, "on must be true or false"),
    ("make_campaign", {"name": 5}, "name must be valid text"),
    ("make_campaign", {"name": "x", "count": 0}, "count must be"),
    ("make_campaign", {"name": "x", "mode": "guess"}, "mode must be"),
    ("make_campaign", {"name": "x", "questions": ["why"]}, "questions"),
    ("make_campaign", {"name": "x", "prompts": "a star"}, "prompts"),
    ("make_campaign", {"name": "x", "hidden_share": 2}, "hidden_share must be"),
    ("make_campaign", {"name": "x", "hidden_words": ["red"]}, "hidden_words"),
    ("make_campaign", {"name": "x", "recipes": [5]}, "recipes"),
    ("make_campaign", {"name": "x", "same_seed": "no"}, "same_seed must be true or false"),
    ("make_campaign", {"name": "x", "seed": -1}, "seed must be"),
    ("make_campaign", {"name": "x", "guideline": 5}, "guideline must be valid text"),
    ("make_campaign", {"name": "x", "people": 0}, "people must be"),
    ("make_campaign", {"name": "x", "checks": None}, "checks must be true or false"),
    ("make_campaign", {"name": "x", "reveal": "sometimes"}, "reveal must be"),
    ("plan_comparison", {"rows": 5}, "rows must be"),
    ("plan_comparison", {"rows": [{"recipe": {}}], "columns": 5}, "columns must be"),
    ("draw_comparison", {"rows": [{"recipe": {}}], "reference": 99}, "reference must be"),
    ("draw_comparison", {"rows": [{"recipe": {}}], "equal_nfe": "often"}, "equal_nfe must be true or false"),
    ("comparison_facts", {"rows": [{"recipe": {}}], "batching": "together"}, "batching must be"),
    ("draw_comparison", {"rows": [{"recipe": {}}], "name": "x" * 1000}, "name must be valid text"),
    ("blind_test", {"row": -1}, "row must be"),
    ("blind_test", {"row": 1, "rows": [{"recipe": {}}], "pairs": 0}, "pairs must be"),
    ("blind_test_result", {"campaign": 0}, "campaign must be"),
    ("blind_test_result", {"campaign": 1, "end": "maybe"}, "end must be true or false"),
]


def posted(client: Client, raw: httpx.Client, name: str, values: dict[str, Any]) -> httpx.Response:
    data = [values.get(one, told.get("parameter_default")) for one, told in parameters(client, name).items()]
    body = json.dumps({"data": data})  # in ASCII, which holds half a character too
    return raw.post(f"/gradio_api/run/{name}", content=body, headers={"Content-Type": "application/json"})


def told_in_one_sentence(answer: httpx.Response) -> str:
    """The message of a refusal, which shows nothing of the inside and of this machine."""
    assert 400 <= answer.status_code < 500, answer.text
    message: str = answer.json()["error"]
    assert not [inside for inside in ("Traceback", "Error", ".py", "/tmp", "cache", str(ROOT)) if inside in message], (
        message
    )
    assert message and "\n" not in message and "Something went wrong" not in message
    return message


@pytest.mark.parametrize(("name", "values", "said"), REFUSED)
def test_what_is_out_of_range_is_refused_by_name(
    client: Client, raw: httpx.Client, name: str, values: dict[str, Any], said: str
) -> None:
    answer = posted(client, raw, name, values)
    assert said in told_in_one_sentence(answer)
    is_missing = said.startswith("no ") or said in ("named 'nonsense'", "did you mean 'cfg'")
    assert answer.status_code == (404 if is_missing else 422)


def _method(name: str) -> Any:
    subjects = (PictureApi, CampaignApi, EditApi, ComparisonApi)
    return next(getattr(subject, name) for subject in subjects if hasattr(subject, name))


def test_every_parameter_of_every_endpoint_was_tried() -> None:
    tried = {(name, field) for name, values, _ in REFUSED for field in values}
    known = {(name, field) for name in ENDPOINTS for field in inspect.signature(_method(name)).parameters}
    wanted = {(name, field) for name, field in known if field not in ("self", "recipe")}
    wanted |= {("generate", field) for field in Recipe.model_fields}
    untried = wanted - tried
    # Of the same kind as one that was tried, on the same endpoint or another.
    same = {
        "model",
        "sampler",
        "method",
        "favourites",
        "below_number",
        "made_until",
        "priority",
        "second",
        "job",
        "partial",
    }
    same |= {"rows", "columns", "reference", "equal_nfe", "batching", "file"}
    assert {field for _, field in untried} <= same | {"name", "style"}


def test_other_shapes_of_requests_are_refused(raw: httpx.Client) -> None:
    # Each endpoint has two of them in turn, and each of them several endpoints.
    shapes = cycle(({}, {"data": "x"}, {"data": {}}, [], {"data": None}))
    broken = cycle((b"{", b"\xff\xfe", b'{"data": ' + b"[" * 50_000, b'{"data": [1' + b"0" * 5000 + b"]}"))
    for name, shape, body in zip(ENDPOINTS, shapes, broken, strict=False):
        assert raw.post(f"/gradio_api/run/{name}", json=shape).status_code == 422
        answer = raw.post(f"/gradio_api/run/{name}", content=body, headers={"Content-Type": "application/json"})
        assert told_in_one_sentence(answer) == "The body of a call must be JSON."
    for kind in ("text/plain", "multipart/form-data; boundary=x"):
        answer = raw.post("/gradio_api/run/job", content=b'{"data": ["1"]}', headers={"Content-Type": kind})
        assert "must be sent as application/json" in told_in_one_sentence(answer)
    evil = {"Origin": "http://evil.example"}
    assert raw.post("/gradio_api/run/generate", json={"data": []}, headers=evil).status_code == 403


def test_too_few_and_too_many_values_are_refused(raw: httpx.Client) -> None:
    for name in ENDPOINTS:
        message = told_in_one_sentence(raw.post(f"/gradio_api/run/{name}", json={"data": [1] * 40}))
        assert message.startswith(f"The call of {name} takes ") and "not 40" in message
    message = told_in_one_sentence(raw.post("/gradio_api/run/stop", json={"data": ["1"]}))
    assert message.startswith("The call of stop takes 2 values (job, keep), not 1.")
    for values in ({"jbo": "1"}, {}):
        assert "job" in told_in_one_sentence(raw.post("/gradio_api/call/v2/job", json=values))


def test_what_there_is_not_is_not_found(raw: httpx.Client) -> None:
    for path in ("run/nonsense", "api/nonsense", "run/predict", "run/on_tick", "call/nonsense", "call/v2/nonsense"):
        answer = raw.post(f"/gradio_api/{path}", json={"data": []})
        assert answer.status_code == 404 and "There is no endpoint named" in told_in_one_sentence(answer)
    for number in (-1, 10**6, 10**30):
        for path in ("run/predict", "queue/join"):
            answer = raw.post(f"/gradio_api/{path}", json={"data": [], "fn_index": number, "session_hash": "x"})
            assert answer.status_code == 404 and "There is no listener number" in told_in_one_sentence(answer)
    part = {"data": 1, "session_hash": "x"}
    for wrong in ({"component_id": 10**6, "fn_name": "x"}, {"component_id": 1, "fn_name": "preprocess"}):
        assert raw.post("/gradio_api/component_server", json={**part, **wrong}).status_code == 404
    for values in (
        {"fn_index": "x"},
        {"fn_index": True},
        {"fn_index": 0, "session_hash": 5},
        {"session_hash": "x" * 999},
    ):
        assert raw.post("/gradio_api/run/job", json={"data": ["1"], **values}).status_code == 422


def test_answers_that_are_not_there_or_were_taken_are_not_waited_for(raw: httpx.Client) -> None:
    id = raw.post("/gradio_api/call/job", json={"data": ["nonsense"]}).json()["event_id"]
    answer = raw.get(f"/gradio_api/call/job/{id}")
    event, data = answer.text.split("\n")[:2]
    assert (event, json.loads(data.removeprefix("data: "))["error"]) == ("event: error", "There is no job 'nonsense'.")
    id = raw.post("/gradio_api/call/job", json={"data": []}).json()["event_id"]
    assert "The call of job takes 1 value (job), not 0." in raw.get(f"/gradio_api/call/job/{id}").text
    for taken in (f"call/job/{id}", f"call/v2/job/{id}", "call/job/guessed", "queue/data?session_hash=guessed"):
        answer = raw.get(f"/gradio_api/{taken}")
        assert answer.status_code == 404 and told_in_one_sentence(answer)


def uploaded(raw: httpx.Client, name: str, data: bytes) -> dict[str, Any]:
    (path,) = raw.post("/gradio_api/upload", files={"files": (name, data)}).json()
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


HEADER = b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
UPLOADS = {
    "short.safetensors": b"1234",
    "cut.safetensors": len(HEADER).to_bytes(8, "little") + HEADER,
    "long header.safetensors": (2**60).to_bytes(8, "little") + b"{}",
    "foreign.safetensors": len(HEADER).to_bytes(8, "little") + HEADER + bytes(8),
    "pickle.safetensors": b"\x80\x04\x95" + bytes(40),
    "garbage.zip": b"PK\x03\x04garbage",
    "half.png": b"\x89PNG\r\n\x1a\n",
    "picture.jpg": b"\xff\xd8\xff\xe0" + bytes(20),
    "empty": b"",
}


@pytest.mark.parametrize("endpoint", ["recipe_of", "import_edit"])
def test_a_file_that_is_refused_is_called_as_its_owner_calls_it(raw: httpx.Client, endpoint: str) -> None:
    for name, data in UPLOADS.items():
        more = [] if endpoint == "recipe_of" else [None, "stencil", False]
        message = told_in_one_sentence(
            raw.post(f"/gradio_api/run/{endpoint}", json={"data": [uploaded(raw, name, data), *more]})
        )
        assert re.search(rf"(The file|The archive|in) {re.escape(name)} ", message), message


def test_files_of_others_are_not_read(raw: httpx.Client, served: Served) -> None:
    kept = uploaded(raw, "once.png", b"GIF89a")
    told_in_one_sentence(raw.post("/gradio_api/run/recipe_of", json={"data": [kept]}))
    guessed = kept["path"].replace("once", "twice")
    for path in (kept["path"], guessed, str(served.folder / "studio.db"), "/etc/passwd", "http://127.0.0.1:1/x.png"):
        for more in ({}, {"meta": {"_type": "gradio.FileData"}}):
            answer = raw.post("/gradio_api/run/recipe_of", json={"data": [{"path": path, **more}]})
            assert "must be a file that was uploaded here" in told_in_one_sentence(answer)


def test_an_upload_holds_files_with_names(raw: httpx.Client) -> None:
    assert "each with a name" in told_in_one_sentence(raw.post("/gradio_api/upload", files={"files": ("", b"x")}))


def test_the_engine_lives_on(client: Client) -> None:
    """Runs last: after all of the above."""
    job = finished(client, client.predict(prompt="a living star", steps=2, api_name="/generate"))
    assert job["status"] == "done" and len(job["pictures"]) == 1


# -- campaigns ------------------------------------------------------------------------------------------------------


def test_a_campaign_is_made_drawn_and_told_of(client: Client) -> None:
    values: dict[str, Any] = {"name": "by program", "count": 3, "prompts": ["a red star", "a heart"], "checks": False}
    made = client.predict(**values, api_name="/make_campaign")
    assert (made["name"], made["mode"], made["state"], made["pictures"]) == ("by program", "pair", "open", 6)
    deadline = time.monotonic() + 240
    while (told := client.predict(campaign="by program", api_name="/campaign"))["missing"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert told["items"] + told["alike"] == 3
    assert client.predict(api_name="/campaigns")[0]["id"] == made["id"]
    refused: list[tuple[dict[str, Any], str]] = [
        ({"name": "by program"}, "already"),
        ({"name": "x", "recipes": [{"steps": 0}]}, "steps"),
        ({"name": "x", "hidden_share": 0.5, "prompts": ["a star"]}, "only where you say which"),
    ]
    for values, sentence in refused:
        with pytest.raises(AppError, match=sentence):
            client.predict(**values, api_name="/make_campaign")
    with pytest.raises(AppError, match="no campaign"):
        client.predict(campaign="gone", api_name="/draw_campaign")
