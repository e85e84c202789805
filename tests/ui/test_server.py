"""The page's server: where it listens, when it says that it is there, and who gets past its guards."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from studio.core.errors import EnvironmentProblem
from studio.ui import app, server
from tests.ui.fake_studio import FakeStudio


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


# -- where it listens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_port_0_takes_a_free_one_and_keeps_it(host: str) -> None:
    with server.listen(host, 0) as first, server.listen(host, 0) as second:
        assert first.getsockname()[1] != second.getsockname()[1] != 0
        with pytest.raises(EnvironmentProblem, match="address already in use"):
            server.listen(host, first.getsockname()[1])


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_may_be_in_brackets(host: str) -> None:
    with server.listen(host, 0) as listener:
        assert listener.getsockname()[0] == "::1"


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match="port 7860 of 192.0.2.1"):
        server.listen("192.0.2.1", 7860)


@pytest.mark.parametrize(
    "host", ["", " ", "no such host", "127.0.0.1:7860", "x" * 300, "a..b", "\0", "999.1.1.1", "[::1"]
)
def test_what_is_no_host_is_one_sentence(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str, *_: object, **__: object) -> None:
        name.encode("idna")  # as the real one does first, with errors of its own
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(EnvironmentProblem, match="no such host") as caught:
        server.listen(host, 0)
    assert "--host" in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://localhost:1"),
        ("::", "http://localhost:1"),
        ("[::1]", "http://[::1]:1"),
        ("studio.example", "http://studio.example:1"),
    ],
)
def test_the_address_for_a_browser(host: str, url: str) -> None:
    assert server.address(host, 1) == url


# -- when it is there -----------------------------------------------------------------------------------------------


def test_the_start_waits_for_a_machine_that_is_slow_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's own start gave its page three seconds, by a request that went to the proxy."""
    go_on, entered, answered = threading.Event(), threading.Event(), threading.Event()

    @contextlib.asynccontextmanager
    async def slow(_: FastAPI) -> AsyncIterator[None]:
        entered.set()
        await asyncio.to_thread(go_on.wait, 60)
        yield

    requests: list[str] = []
    slow_app = FastAPI(lifespan=slow)

    @slow_app.middleware("http")
    async def noted(request: Any, call_next: Any) -> Any:
        requests.append(request.url.path)
        return await call_next(request)

    listener = server.listen("127.0.0.1", 0)
    page = server.PageServer(slow_app, listener)
    starting = threading.Thread(target=lambda: (page.start(), answered.set()))
    clock, late_s, looked, join = time.monotonic, 0.0, threading.Event(), page.thread.join
    monkeypatch.setattr(page.thread, "join", lambda timeout: (join(timeout), looked.set()))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock() + late_s)
        starting.start()
        assert entered.wait(60) and not answered.is_set()
        for _ in range(2):
            late_s += 3600  # an hour goes by
            looked.clear()
            assert looked.wait(60) and starting.is_alive()
    go_on.set()
    assert answered.wait(60) and not requests
    url = server.address(*listener.getsockname())
    assert httpx.get(f"{url}/docs", trust_env=False).status_code == 200
    page.close()
    page.close()
    assert not page.thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_a_server_that_ends_before_it_began_is_one_sentence() -> None:
    @contextlib.asynccontextmanager
    async def broken(_: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("broken")
        yield

    page = server.PageServer(FastAPI(lifespan=broken), server.listen("127.0.0.1", 0))
    with pytest.raises(EnvironmentProblem, match="ended before it began"):
        page.start()
    page.close()


def test_a_quiet_connection_is_dropped_by_the_program_before_it_is_by_us() -> None:
    """Both after five seconds, it happened that a vote was sent over a connection that was just being closed."""
    page = server.PageServer(FastAPI(), server.listen("127.0.0.1", 0))
    theirs = httpx.Limits().keepalive_expiry
    page.close()
    assert theirs is not None and page.server.config.timeout_keep_alive > theirs


# -- who gets in ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """The whole page, not started: what the guards refuse does not get as far."""
    with FakeStudio(tmp_path_factory.mktemp("workspace")) as studio:

        async def lay_out() -> Starlette:
            # In a running event loop: without one, Gradio makes loops of its own, which it never closes.
            return server.application(app.build(studio), studio, "127.0.0.1")

        yield asyncio.run(lay_out())


def addresses(application: Starlette) -> list[tuple[str, str]]:
    """[(method, path)] of every route there is, ours and Gradio's, with something in the place of parameters."""
    mounted: Any = next(route.app for route in application.routes if isinstance(route, Mount))
    routes: list[Any] = list(mounted.routes)
    for route in routes:
        routes += getattr(getattr(route, "original_router", None), "routes", [])
    return [
        (method, re.sub(r"{[^}]*}", "1", route.path))
        for route in routes
        if getattr(route, "path", None)
        for method in sorted(getattr(route, "methods", None) or ())
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
    ],
    ids=str,
)
def test_every_address_there_is_refuses_strangers(application: Starlette, headers: dict[str, str], status: int) -> None:
    client = TestClient(application, base_url="http://127.0.0.1:7860")
    found = addresses(application)
    assert len(found) > 50 and {"/watch", "/pictures/1.png", "/gradio_api/queue/data"} <= {path for _, path in found}
    for method, path in [*found, ("OPTIONS", "/config"), ("GET", "/no-such-page")]:
        asked = {"Access-Control-Request-Method": "GET"} if method == "OPTIONS" else {}
        answer = client.request(method, path, headers={**headers, **asked})
        assert answer.status_code == status, (method, path)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_page_is_given_leave_to_read_answers(application: Starlette) -> None:
    """Not even its own, which needs none: Gradio gives it to whatever origin gets as far as its own CORS answers."""
    client = TestClient(application, base_url="http://127.0.0.1:7860")
    asked = {"Origin": "http://127.0.0.1:7860", "Access-Control-Request-Method": "GET"}
    for method in ("OPTIONS", "GET"):
        answer = client.request(method, "/config", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-allow-origin")]
