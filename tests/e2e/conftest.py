"""A window of a browser, and a real studio with the real model, for half of the walks; each finds an empty profile."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.e2e.held_worker import HOLD, Brake
from tests.e2e.settling import COUNT
from tests.ui.serving import Served, serving

SERVE = """
import os
from studio.core.settings import Settings
from studio.ui.app import serve
%s
serve(Settings.resolve({"workspace": %r, "port": 0}, os.environ))
"""
HELD = "from studio.engine import worker; from tests.e2e import held_worker; worker.main = held_worker.main"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync"]  # fmt: skip

expect.set_options(timeout=60_000)  # Playwright's 5 s are for pages, not for two tests that draw on two cores
Scheme = Literal["light", "dark"]
WIDE: ViewportSize = {"width": 1440, "height": 900}
WALK_S = 900  # for one that takes seconds: on a machine that trains beside the tests it takes minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(WALK_S))


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Path:
    """The embedded model, or the one that PALIMPSEST_MODEL_DIR names."""
    named = os.environ.get("PALIMPSEST_MODEL_DIR")
    return Path(named) if named else request.getfixturevalue("stencil_dir")


@pytest.fixture(
    scope="package"
)  # no longer: while Playwright runs, this thread has an event loop, and others need none
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield found
        found.close()


def serve_on(folder: Path, also: str = "") -> list[str]:
    """Arguments of Python that open the page on a workspace. also: a line of Python to run before."""
    return ["-c", SERVE % (also, str(folder))]


@pytest.fixture(scope="package")
def served(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The studio. Beside its own model it has "mine": the same weights, of which it knows no early checkpoint."""
    folder, models = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("models")
    shutil.copytree(model, models / "mine")
    environ = {"PALIMPSEST_MODELS_DIR": str(models), HOLD: str(folder.with_name("hold"))}
    with serving(serve_on(folder, HELD), folder, environ) as page:
        yield page


@pytest.fixture
def brake(served: Served) -> Iterator[Brake]:
    """Holds the studio's engine in the middle of a job, until the end of the test at most."""
    brake = Brake(served.folder.with_name("hold"))
    yield brake
    brake.release()


def stop_all(url: str) -> None:
    """Stop every job in hand and wait until none is: a walk that ends early must not keep the next one waiting."""
    with httpx.Client(base_url=url, timeout=60) as client:

        def in_hand() -> list[str]:
            jobs = client.post("/gradio_api/run/jobs", json={"data": [50, None]}).raise_for_status().json()["data"][0]
            return [job["id"] for job in jobs if not job["over"]]

        for job in in_hand():
            client.post("/gradio_api/run/stop", json={"data": [job, True]})  # refused where it is over by now
        deadline = time.monotonic() + 60
        while in_hand():
            assert time.monotonic() < deadline, "jobs that were stopped are still in hand after a minute"
            time.sleep(0.05)


def complaint(said: ConsoleMessage) -> str:
    """What a script or the browser complained of, and where: "Failed to load" alone does not say what."""
    return f"said: {said.text} ({said.location.get('url')})"


@pytest.fixture(scope="package")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """Where walks open their pages. A window of a page's own would cost a core as much as the page itself."""
    context = browser.new_context(viewport=WIDE)
    context.new_page()  # the window stays when a walk closes its own
    yield context
    context.close()


def emptied(window: BrowserContext, url: str) -> BrowserContext:
    """As a browser is that has never been to this address."""
    window.clear_cookies()
    session = window.new_cdp_session(window.pages[0])
    session.send("Storage.clearDataForOrigin", {"origin": url.rstrip("/"), "storageTypes": "all"})
    session.detach()
    return window


@pytest.fixture
def opened(browser: Browser, window: BrowserContext, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens the page in an empty browser profile: opened(width=1440, scheme="light").

    refused: errors of the page are to be expected, because to the browser what is refused is one.
    tour: the walkthrough comes by itself, as on a first visit.
    context: another page's profile, as a second window of the same browser has it.

    At the end of the test nothing is left to be drawn; no script failed, and nothing was asked of another machine.
    """
    pages: list[Page] = []
    others: list[BrowserContext] = []
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob") and not request.url.startswith(served.url):
            wrong.append(f"asked for {request.url}")

    def profile() -> BrowserContext:
        if not pages:
            return emptied(window, served.url)
        others.append(browser.new_context(viewport=WIDE))
        others[-1].on("request", asked)
        return others[-1]

    def open_page(
        width: int = 1440,
        scheme: Scheme = "light",
        context: BrowserContext | None = None,
        refused: bool = False,
        tour: bool = False,
    ) -> Page:
        page = (context or profile()).new_page()
        pages.append(page)
        page.add_init_script(COUNT)
        if not tour:  # the line of a first visit moves all beneath it
            page.add_init_script("localStorage.setItem('palimpsest-tour', 'off')")
        page.set_default_timeout(60_000)
        page.set_viewport_size({**WIDE, "width": width})
        page.emulate_media(color_scheme=scheme)
        page.on("pageerror", lambda error: wrong.append(f"failed: {error}"))
        if not refused:
            page.on("console", lambda said: wrong.append(complaint(said)) if said.type == "error" else None)
        page.goto(served.url)
        page.wait_for_selector("#generate")
        page.wait_for_selector("#status .state")
        return page

    window.on("request", asked)
    yield open_page
    for page in pages:
        page.close()
    for context in others:
        context.close()
    window.remove_listener("request", asked)
    stop_all(served.url)
    assert not wrong
