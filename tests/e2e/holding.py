"""Requests of the page held back, as a slow line holds them."""

from __future__ import annotations

import time

from playwright.sync_api import Page, Request, Route

ARRIVES_S = 60  # at most: on a busy machine too


def is_change(request: Request, text: str = "") -> bool:
    """Whether a request of the page's changes rows. text: that has to be in it."""
    body = request.post_data or ""
    return "/gradio_api/" in request.url and '"op":"' in body and text in body


def held(page: Page, most: int) -> list[Route]:
    """From now on, the page's first requests that change rows wait in this list."""
    waiting: list[Route] = []

    def ask(route: Route) -> None:
        if len(waiting) < most and is_change(route.request):
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/gradio_api/**", ask)
    return waiting


def arrived(page: Page, waiting: list[Route], count: int) -> None:
    """Wait until so many do."""
    deadline = time.monotonic() + ARRIVES_S
    while len(waiting) < count:
        assert time.monotonic() < deadline, f"{len(waiting)} of {count} requests came"
        page.wait_for_timeout(50)
