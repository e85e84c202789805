"""A browser, and the real studio with the real model, on a workspace of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.ui.serving import Served, serving

SERVE = """
import os
from studio.core.settings import Settings
from studio.ui.app import serve
serve(Settings.resolve({"workspace": %r, "port": 0}, os.environ))
"""
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync"]  # fmt: skip

expect.set_options(timeout=30_000)  # Playwright's 5 s are for pages, not for two tests that draw on two cores


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Path:
    """The embedded model, or the one that PALIMPSEST_MODEL_DIR names."""
    named = os.environ.get("PALIMPSEST_MODEL_DIR")
    return Path(named) if named else request.getfixturevalue("stencil_dir")


@pytest.fixture(scope="module")  # no longer: while Playwright runs, this thread has an event loop, and others need none
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield found
        found.close()


def serve_on(folder: Path) -> list[str]:
    """Arguments of Python that open the page on a workspace."""
    return ["-c", SERVE % str(folder)]


@pytest.fixture(scope="module")
def served(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("workspace")
    with serving(serve_on(folder), folder) as found:
        yield found


def complaint(said: ConsoleMessage) -> str:
    """What a script or the browser complained of, and where: "Failed to load" alone does not say what."""
    return f"said: {said.text} ({said.location.get('url')})"


@pytest.fixture
def opened(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens the page in a browser profile of its own: opened(width=1440, scheme="light").

    At the end of the test: no script failed, and nothing was asked of another machine.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def asked(url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(served.url):
            wrong.append(f"asked for {url}")

    def open_page(width: int = 1440, scheme: str = "light", context: BrowserContext | None = None) -> Page:
        if context is None:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            contexts.append(context)
            context.on("request", lambda request: asked(request.url))
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(f"failed: {error}"))
        page.on("console", lambda said: wrong.append(complaint(said)) if said.type == "error" else None)
        page.goto(served.url)
        page.wait_for_selector("#generate")
        page.wait_for_selector("#status .state")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
