"""The page: `build` lays it out, `serve` opens it to the browser and to nothing else."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from studio.core.errors import EnvironmentProblem
from studio.core.settings import Settings
from studio.ui import methods, open_files, quick_gradio, server

if TYPE_CHECKING:
    import gradio as gr

    from studio.services.studio import Studio

HEADER = (
    '<button id="theme-toggle" type="button" aria-label="Switch between light and dark">'
    '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><circle cx="12" cy="12" r="8.5" fill="none" '
    'stroke="currentColor" stroke-width="1.6"/><path d="M12 3.5a8.5 8.5 0 0 1 0 17z" fill="currentColor"/></svg>'
    "</button>"
)


def build(studio: Studio, opened: Callable[[], None] = lambda: None) -> gr.Blocks:
    """The whole page over an open studio. opened: called, quickly, each time a browser has painted it."""
    import gradio as gr

    from studio.ui import handover, sidebar, walkthrough
    from studio.ui.api import build as api
    from studio.ui.blocks import Blocks
    from studio.ui.errors import hide_folders
    from studio.ui.tabs import Page, tabs

    settings = studio.settings
    hide_folders(settings.workspace, settings.model_dir, settings.models_dir)
    with Blocks(title="Palimpsest", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        gr.HTML(HEADER, apply_default_css=False, elem_id="header")
        side = sidebar.build(studio, demo)
        sidebar.slim_line()
        walkthrough.build()
        desk = handover.desk()
        # Outside of the tabs: a component in a tab that is not shown is not there yet, and its memory would be lost.
        memories, drafts = (
            {
                tab.id: gr.BrowserState(None, storage_key=f"palimpsest-{tab.id}{suffix}", secret="palimpsest-page")
                for tab in tabs()
                if tab.remembers
            }
            for suffix in ("", "-draft")
        )
        # Where the page is narrow in a second row: what Gradio puts into a menu has no button that an address leads to.
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as strip:
            for tab in tabs():
                with gr.Tab(tab.title, id=tab.id, elem_id=f"tab-{tab.id}") as strip_tab:
                    tab.build(Page(studio, demo, side, strip, strip_tab, desk, opened, memories, drafts))
        api.build(studio)
    return demo


def serve(settings: Settings, studio: Studio | None = None) -> None:
    """Open the page and keep it open until interrupted (Ctrl+C, SIGTERM). Prints one line, the address.

    studio: an open one, which stays open; without it, one is opened on the settings' workspace and closed at the end.
    Raises EnvironmentProblem (port taken, no such address, vibe mode) and what `Studio.open` does.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(server.listen(settings.host, settings.port))
        prepare_environment(settings)
        quick_gradio.install()
        open_files.install()
        methods.start()
        with no_proxies():
            importlib.import_module("gradio")
        if studio is None:
            from studio.services.studio import Studio

            studio = stack.enter_context(Studio(settings))
        waker = Waker(studio)
        with quick_gradio.one_application():
            demo = build(studio, waker.wake)
        application = server.application(demo, studio, settings.host)
        page = server.PageServer(application, listener, closing=partial(server.end_streams, demo, application))
        stack.callback(page.close)
        page.start()
        print(f"Palimpsest is open at {server.address(settings.host, listener.getsockname()[1])}", flush=True)
        wait_for_end(waker.wake)


def prepare_environment(settings: Settings) -> None:
    """Settle what Gradio reads from the environment, which it does when imported: call this before.

    Raises EnvironmentProblem for vibe mode, in which Gradio lets the browser rewrite the program.
    """
    if os.environ.get("GRADIO_VIBE_MODE"):
        message = "GRADIO_VIBE_MODE is set, with which anyone who reaches the page could rewrite this program."
        raise EnvironmentProblem(message, "Unset it and start again.")
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]  # share links, other folders, other names: none of it is for a variable to switch on
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(settings.workspace.resolve() / "cache")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


@contextlib.contextmanager
def no_proxies() -> Iterator[None]:
    """Have no proxy taken from the environment or the system, for as long as Gradio is being imported.

    It then makes clients for itself, which the studio never uses; and a SOCKS proxy, for which a package is missing, or
    a proxy that is no address would end the start with a traceback.
    """
    environment = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(environment, "*"))
    try:
        yield
    finally:
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Waker:
    """Has the engine load its model while the page is being looked at.

    Not before a browser has painted it: loading takes every core there is for some seconds.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._asked = threading.Event()

    def wake(self) -> None:
        """Begin; returns at once, and does nothing the second time."""
        if not self._asked.is_set():
            self._asked.set()
            self.studio.warm()
            threading.Thread(target=self._import, name="waker", daemon=True).start()

    def _import(self) -> None:
        try:
            # Checks recipes, and is seconds of torch, which the first job need not wait for.
            importlib.import_module("studio.guidance")
        except Exception:  # the first job meets the same, and tells it
            logging.getLogger(__name__).exception("guidance could not be imported ahead of the first job")


def wait_for_end(meanwhile: Callable[[], None], after_s: float = 8.0) -> None:
    """Sleep until SIGINT or SIGTERM; call `meanwhile` once, after a while. Off the main thread, where no signal
    arrives, sleep until the process ends.
    """
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
    if not ended.wait(after_s):
        meanwhile()
    while not ended.wait(3600):
        pass
