"""Requests of the page held back, as a slow line holds them."""

from __future__ import annotations

from playwright.sync_api import Page, Route


def held(page: Page, most: int) -> list[Route]:
    """From now on, the page's first requests that change rows wait in this list."""
    waiting: list[Route] = []

    def ask(route: Route) -> None:
        if len(waiting) < most and '"op":"' in (route.request.post_data or ""):
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/gradio_api/**", ask)
    return waiting


def arrived(page: Page, waiting: list[Route], count: int) -> None:
    """Wait until so many do."""
    for _ in range(200):
        if len(waiting) >= count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(waiting)} of {count} requests came")
