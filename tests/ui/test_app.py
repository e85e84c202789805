"""The page as a server: what it answers, and to whom. No browser; see tests/e2e for that."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import httpx
import pytest

from studio.core.errors import EnvironmentProblem
from studio.core.settings import Settings
from studio.ui import app, server, watch
from studio.ui.tabs import tabs
from tests.ui.endpoints import ENDPOINTS
from tests.ui.fake_studio import FakeStudio
from tests.ui.serving import Served


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=120) as found:
        yield found


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    """The page laid out, without a server."""
    folder = tmp_path_factory.mktemp("workspace")

    async def lay_out() -> gr.Blocks:
        # In a running event loop: without one, Gradio makes loops of its own, which it never closes.
        return app.build(studio)

    with FakeStudio(folder) as studio:
        return asyncio.run(lay_out())


def test_the_page_answers_here_and_not_to_other_names(client: httpx.Client) -> None:
    assert client.get("/").status_code == 200
    evil = {"Host": f"evil.example:{client.base_url.port}"}
    assert client.get("/", headers=evil).status_code == 400
    body = {"data": [], "fn_index": 0, "session_hash": "x"}
    assert client.post("/gradio_api/run/predict", json=body, headers=evil).status_code == 400


def _status(port: int, *lines: str) -> tuple[int, bytes]:
    """Send a request as it stands, which no client library would; give status and the whole answer's head."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        head = b""
        while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
            head += more
    return int(head.split()[1]), head.lower()


HOSTS = [
    [],
    [""],
    ["127.0.0.1:{port}", "evil.example"],
    ["127.0.0.1:{port}", "127.0.0.1:{port}"],
    ["evil@127.0.0.1:{port}"],
    ["127.0.0.1#.evil.example"],
    ["127.0.0.1:99999999"],
    ["localhost.evil.example"],
    ["[::1]evil.example"],
    ["127.0.0.1:{port}/evil"],
]


def test_a_host_that_is_none_or_several_is_refused(client: httpx.Client) -> None:
    port = client.base_url.port or 0
    for hosts in HOSTS:
        status, head = _status(port, "GET /config HTTP/1.1", *(f"Host: {host.format(port=port)}" for host in hosts))
        assert status == 400, (hosts, head)


def test_a_page_of_another_program_reads_nothing(client: httpx.Client) -> None:
    """Not the page, its pictures, its event streams or an upload's answer, whatever it says of itself."""
    own = f"127.0.0.1:{client.base_url.port}"
    files = {"files": ("x.txt", b"x")}
    for headers in (
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": f"http://localhost:{client.base_url.port}"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    ):
        for path in ("/", "/config", "/pictures/1.png", "/watch", "/gradio_api/queue/data?session_hash=x"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 403, (path, headers)
            assert not [name for name in answer.headers if name.startswith("access-control-allow-origin")]
        assert client.post("/gradio_api/upload", files=files, headers=headers).status_code == 403
    preflight = {"Origin": "http://127.0.0.1:3000", "Access-Control-Request-Method": "POST"}
    answer = client.options("/gradio_api/upload", headers=preflight)
    assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers
    mine = {"Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/pictures/1.png", headers=mine).status_code == 200
    uploaded = client.post("/gradio_api/upload", files=files, headers=mine)
    assert uploaded.status_code == 200 and "Access-Control-Allow-Credentials" not in uploaded.headers


def test_the_page_has_the_security_headers(client: httpx.Client) -> None:
    headers = client.get("/").headers
    assert headers["X-Content-Type-Options"] == "nosniff" and "default-src 'self'" in headers["Content-Security-Policy"]


def test_nothing_of_gradio_that_tells_or_shares_is_open(client: httpx.Client, served: Served) -> None:
    for path in ("/monitoring", "/monitoring/summary", "/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code in (403, 404), path
    info = client.get("/gradio_api/info").json()
    assert set(info["named_endpoints"]) == {f"/{name}" for name in ENDPOINTS} and info["unnamed_endpoints"] == {}


def test_files_of_this_machine_stay_where_they_are(client: httpx.Client, served: Served) -> None:
    secret = served.folder / "palimpsest.db"
    secret.write_text("x", encoding="utf-8")
    ours = [secret, served.folder / "studio.db", *served.folder.rglob("*.png")]
    others = ["/etc/passwd", "../../../etc/passwd", "studio/ui/app.py", "..%2f..%2fetc%2fpasswd"]
    answers = {path: client.get(f"/gradio_api/file={path}").status_code for path in (*ours, *others)}
    assert set(answers.values()) <= {403, 404}, answers


def test_long_bodies_are_refused(client: httpx.Client) -> None:
    assert client.post("/gradio_api/run/predict", content=b"x" * 2_000_001).status_code == 413


def test_pictures_are_served_bit_for_bit(client: httpx.Client, served: Served) -> None:
    answer = client.get("/pictures/1.png")
    assert hashlib.sha256(answer.content).hexdigest() in {path.stem for path in served.folder.rglob("*.png")}
    assert answer.headers["Content-Type"] == "image/png"
    assert "palimpsest-00001-seed-3.png" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["1000000.png", f"{10**30}.png", "..%2f..%2fpalimpsest.db", "-1.png", "1"])
def test_there_are_no_other_pictures(client: httpx.Client, name: str) -> None:
    assert client.get(f"/pictures/{name}").status_code == 404


def test_nothing_the_page_starts_with_comes_from_elsewhere(client: httpx.Client) -> None:
    """What the browser then does is seen in tests/e2e; this is about the page's own <link> and <script>."""
    parts = [part.split(">", 1)[0] for part in client.get("/").text.split("<") if part.startswith(("link ", "script "))]
    assert parts
    assert not [part for part in parts if "stylesheet" in part and "//" in part.replace(str(client.base_url), "")]
    assert not [part for part in parts if 'src="http' in part]


def test_every_listener_but_the_declared_ones_is_private_and_none_waits_in_a_queue(blocks: gr.Blocks) -> None:
    dependencies = blocks.get_config_file().get("dependencies", [])
    assert dependencies
    public = [dependency["api_name"] for dependency in dependencies if dependency["api_visibility"] != "private"]
    assert sorted(public) == sorted(ENDPOINTS)
    for dependency in dependencies:
        assert dependency["queue"] is False or dependency["backend_fn"] is False, dependency


def test_a_page_that_is_opened_looks_at_the_engine_once_it_has_woken_it(blocks: gr.Blocks) -> None:
    """The watcher's first look may come before that, and is told of rest; a page at rest does not look again."""
    dependencies = blocks.get_config_file().get("dependencies", [])
    (look,) = (each for each in dependencies if each["js"] == watch.LOOK)
    (opening,) = (each for each in dependencies if each["id"] == look["trigger_after"])
    assert opening["targets"][0][1] == "load"


def test_every_control_has_a_label_and_an_explanation(blocks: gr.Blocks) -> None:
    kinds = {"textbox", "number", "slider", "dropdown", "checkbox", "radio"}
    found = [part for part in blocks.get_config_file()["components"] if part["type"] in kinds]
    assert len(found) > 12
    for part in found:
        assert part["props"].get("label") and part["props"].get("info"), part["props"]


def test_the_five_tabs_in_their_order() -> None:
    assert [tab.title for tab in tabs()] == ["Prompt", "Erase", "Label", "Guidance", "Compare"]


def test_the_page_has_the_words_of_the_field(blocks: gr.Blocks) -> None:
    """And none of those by which people who did not write it were lost."""
    page = str(blocks.get_config_file()).casefold()
    assert "network evaluations (nfe)" in page
    lost = (
        "rows of network work",
        "put around it",
        "nothing around it",
        "one batch",
        "take it in",
        "ended early",
        "as set below",
        "the bin instead",
        "both days count",
        "follows points from",
        "saves a row",
    )
    assert [words for words in lost if words in page] == []
    labels = [str(part["props"].get("label")) for part in blocks.get_config_file()["components"]]
    assert [label for label in labels if re.search(r"[a-z]_[a-z]|guidance\.", label)] == []
    assert "Compare" not in [
        str(part["props"].get("value")) for part in blocks.get_config_file()["components"] if part["type"] == "button"
    ]  # a tab is called so


def test_a_port_in_use_is_told_before_anything_is_opened() -> None:
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"port {port} of 127.0.0.1") as caught:
            app.serve(Settings(port=port))
        assert caught.value.exit_code == 2 and "--port" in str(caught.value)


def test_vibe_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_VIBE_MODE", "1")
    with pytest.raises(EnvironmentProblem, match="GRADIO_VIBE_MODE"):
        app.prepare_environment(Settings())


def test_gradio_variables_cannot_open_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "GRADIO_SHARE",
        "GRADIO_ALLOWED_PATHS",
        "GRADIO_SERVER_NAME",
        "GRADIO_ANALYTICS_ENABLED",
        "GRADIO_TEMP_DIR",
    ):
        monkeypatch.setenv(name, "True")
    app.prepare_environment(Settings(workspace=tmp_path))
    left = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_")}
    assert left == {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(tmp_path / "cache")}
