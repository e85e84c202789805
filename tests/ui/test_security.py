from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.ui.security import HEADERS, MAX_BODY_BYTES, MAX_UPLOAD_BYTES, allowed_names, middleware


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def client(host: str = "127.0.0.1") -> TestClient:
    routes = [Route("/", echo, methods=["GET", "POST"]), Route("/gradio_api/upload", echo, methods=["POST"])]
    return TestClient(Starlette(routes=routes, middleware=middleware(host)), base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "127.9.9.9"])
def test_answers_to_this_machine(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "8.8.8.8"],
)
def test_refuses_other_hosts(host: str) -> None:
    answer = client().get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"  # also on what is refused


def test_opened_to_the_network_it_answers_to_addresses_and_its_own_name_only() -> None:
    served = client("0.0.0.0")
    assert served.get("/", headers={"Host": "192.168.1.9:7860"}).status_code == 200
    assert served.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert "localhost" in allowed_names("0.0.0.0")


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:3000", "null", "http://localhost:7860"])
def test_refuses_changes_from_another_origin(origin: str) -> None:
    assert client().post("/", headers={"Origin": origin}).status_code == 403
    assert client().get("/", headers={"Origin": origin}).status_code == 200


def test_takes_changes_from_its_own_page() -> None:
    assert client().post("/", headers={"Origin": "http://127.0.0.1:7860"}).status_code == 200
    assert client().post("/").status_code == 200  # no browser: the command line, a script on this machine


def test_every_answer_has_the_headers() -> None:
    answer = client().get("/")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = answer.headers["Content-Security-Policy"]
    assert "http:" not in policy and "https:" not in policy and "*" not in policy


def test_declared_bodies_over_the_limit_are_refused() -> None:
    assert client().post("/", content=b"x" * MAX_BODY_BYTES).text == str(MAX_BODY_BYTES)
    assert client().post("/", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


def test_bodies_in_chunks_are_counted() -> None:
    def chunks(of: int):
        yield from (b"x" * 100_000 for _ in range(of))

    assert client().post("/", content=chunks(20)).status_code == 200
    assert client().post("/", content=chunks(21)).status_code == 413


def test_uploads_have_a_larger_limit() -> None:
    assert client().post("/gradio_api/upload", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 200
    declared = {"Content-Length": str(MAX_UPLOAD_BYTES + 1)}
    assert client().post("/gradio_api/upload", content=b"x", headers=declared).status_code == 413
