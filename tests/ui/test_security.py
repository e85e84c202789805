from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.ui.security import HEADERS, MAX_BODY_BYTES, MAX_UPLOAD_BYTES, BodyLimit, allowed_names, middleware


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("fine")(scope, receive, send)


async def through_the_stack(scope: Scope, receive: Receive, send: Send) -> None:
    await STACK(scope, receive, send)


STACK: ASGIApp = fine
for layer in reversed(middleware("127.0.0.1")):
    STACK = layer.cls(STACK, *layer.args, **layer.kwargs)


def client(host: str = "127.0.0.1") -> TestClient:
    routes = [Route("/", echo, methods=["GET", "POST"]), Route("/gradio_api/upload", echo, methods=["POST"])]
    return TestClient(Starlette(routes=routes, middleware=middleware(host)), base_url="http://127.0.0.1:7860")


def answer(headers: list[tuple[str, str]], method: str = "GET", kind: str = "http") -> tuple[int, Headers]:
    """Status and headers for a request with exactly these headers, which no client would send so."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers]
    scope = {"type": kind, "method": method, "path": "/", "query_string": b"", "headers": raw}
    asyncio.run(through_the_stack(scope, receive, send))
    return sent[0]["status"], Headers(raw=sent[0]["headers"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:7860", "localhost:9000", "LOCALHOST", "[::1]:7860", "[0:0::1]", "127.9.9.9"]
)
def test_answers_to_this_machine(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 200


STRANGERS = [
    "evil.example",
    "evil.example:7860",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost.evil",
    "localhost.",
    ".localhost",
    "",
    " ",
    ":7860",
    "[::1",
    "::1",
    "[::1]evil.example",
    "[::1]:7860:7860",
    "[::1%25lo]",
    "[localhost]",
    "[127.0.0.1]",
    "[::2]",
    "8.8.8.8",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "127.0.0.01",
    "evil@127.0.0.1",
    "127.0.0.1@evil.example",
    "evil:evil@localhost:7860",
    "127.0.0.1#.evil.example",
    "127.0.0.1/.evil.example",
    "127.0.0.1?.evil.example",
    "127.0.0.1\\.evil.example",
    "127.0.0.1 evil.example",
    "127.0.0.1, evil.example",
    "127.0.0.1:99999999",
    "127.0.0.1:65536",
    "127.0.0.1:007860",
    "127.0.0.1:" + "9" * 5000,
    "127.0.0.1:-1",
    "127.0.0.1:",
    "127.0.0.1:port",
    "http://127.0.0.1",
    "\uff11\uff12\uff17.0.0.1",
]


def test_refuses_other_hosts() -> None:
    assert answer([("Host", "127.0.0.1:7860")])[0] == 200
    for host in STRANGERS:
        status, headers = answer([("Host", host)])
        assert status == 400, host
        assert headers["X-Frame-Options"] == "SAMEORIGIN"  # also on what is refused


def test_refuses_no_host_and_several() -> None:
    for hosts in ([], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.example"], ["evil.example", "127.0.0.1"]):
        assert answer([("Host", host) for host in hosts])[0] == 400, hosts


def test_opened_to_the_network_it_answers_to_addresses_and_its_own_name_only() -> None:
    served = client("0.0.0.0")
    assert served.get("/", headers={"Host": "192.168.1.9:7860"}).status_code == 200
    assert served.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert "localhost" in allowed_names("0.0.0.0")


def test_behind_a_proxy_or_a_tunnel_the_page_is_its_own() -> None:
    """Either leaves Host as the browser wrote it, with a port or a scheme that is not ours."""
    served = client("0.0.0.0")
    for host, origin in (
        ("localhost:9000", "http://localhost:9000"),
        ("192.168.1.9", "https://192.168.1.9"),
        ("192.168.1.9:443", "https://192.168.1.9"),
        ("192.168.1.9", "http://192.168.1.9:80"),
        ("LOCALHOST", "http://localhost"),
    ):
        assert served.post("/", headers={"Host": host, "Origin": origin}).status_code == 200, (host, origin)


OTHER_ORIGINS = [
    "http://evil.example",
    "http://127.0.0.1",
    "http://127.0.0.1:3000",
    "https://127.0.0.1:78600",
    "http://localhost:7860",
    "http://[::1]:7860",
    "http://127.0.0.1:7860@evil.example",
    "http://evil@127.0.0.1:7860",
    "http://127.0.0.1:7860.evil.example",
    "http://127.0.0.1:7860/",
    "chrome-extension://127.0.0.1:7860",
    "127.0.0.1:7860",
    "null",
    "",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_another_origin_neither_changes_nor_reads(method: str) -> None:
    host = ("Host", "127.0.0.1:7860")
    assert answer([host, ("Origin", "http://127.0.0.1:7860")], method)[0] == 200
    for origins in ([origin] for origin in OTHER_ORIGINS):
        for repeated in (origins, ["http://127.0.0.1:7860", *origins]):
            status, headers = answer([host, *(("Origin", origin) for origin in repeated)], method)
            assert status == 403 and "Access-Control-Allow-Origin" not in headers, repeated


def test_a_web_socket_is_opened_to_its_own_page_alone() -> None:
    """Browsers open one to any origin, and ask nobody for leave."""
    for origin, status in (("http://127.0.0.1:7860", 200), ("http://127.0.0.1:3000", 403)):
        assert answer([("Host", "127.0.0.1:7860"), ("Origin", origin)], kind="websocket")[0] == status
    assert answer([("Host", "evil.example")], kind="websocket")[0] == 400


def test_takes_changes_from_its_own_page() -> None:
    assert client().post("/", headers={"Origin": "http://127.0.0.1:7860"}).status_code == 200
    assert client().post("/").status_code == 200  # no browser: the command line, a script on this machine


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("none", "navigate", "document", 200),  # typed, or a bookmark
        ("same-origin", "no-cors", "image", 200),
        ("cross-site", "navigate", "document", 200),  # a link on another page, which it then no longer sees
        ("same-site", "navigate", "document", 200),
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "image", 403),  # another port of this machine is of the same site
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "embed", 403),
        ("no-such-word", "no-cors", "image", 403),
    ],
)
def test_what_the_browser_says_of_where_a_request_comes_from(site: str, mode: str, dest: str, status: int) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert client().get("/", headers=headers).status_code == status
    assert client().post("/", headers=headers).status_code == (200 if site in ("none", "same-origin") else 403)


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


@pytest.mark.parametrize(("chunk", "status"), [(b"x", 408), (b"", 408), (b"x" * 10_000, 200)])
def test_a_body_that_trickles_in_is_given_up_and_one_that_flows_is_not(chunk: bytes, status: int) -> None:
    chunks = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal chunks
        chunks += 1
        assert chunks < 1000, "it is waited for ever"
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": chunk, "more_body": status == 408 or chunks < 40}

    async def send(message: Message) -> None:
        sent.append(message)

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(str(len(await Request(scope, receive).body())))(scope, receive, send)

    guarded = BodyLimit(reading, patience_s=0.05)
    asyncio.run(guarded({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send))
    assert sent[0]["status"] == status and (status == 408 or sent[1]["body"] == b"400000")


def test_uploads_have_a_larger_limit() -> None:
    assert client().post("/gradio_api/upload", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 200
    declared = {"Content-Length": str(MAX_UPLOAD_BYTES + 1)}
    assert client().post("/gradio_api/upload", content=b"x", headers=declared).status_code == 413
