"""The page: `build` lays it out, `serve` opens it to the browser and to nothing else."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from studio.core.errors import EnvironmentProblem
from studio.core.settings import Settings
from studio.ui import methods, quick_gradio

if TYPE_CHECKING:
    import gradio as gr

    from studio.services.generate import Studio

# Of the workspace: all but the cache, where Gradio puts uploads. Nothing is allowed there anyway: a second lock.
KEPT = (
    "studio.db",
    "studio.db-wal",
    "studio.db-shm",
    "workspace.lock",
    "images",
    "edits",
    "exports",
    "logs",
    "presets",
)
HEADER = (
    '<button id="theme-toggle" type="button" aria-label="Switch between light and dark">'
    '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><circle cx="12" cy="12" r="8.5" fill="none" '
    'stroke="currentColor" stroke-width="1.6"/><path d="M12 3.5a8.5 8.5 0 0 1 0 17z" fill="currentColor"/></svg>'
    "</button>"
)


def build(studio: Studio, opened: Callable[[], None] = lambda: None) -> gr.Blocks:
    """The whole page over an open studio. opened: called, quickly, each time a browser has painted it."""
    import gradio as gr

    from studio.ui import api, handover, sidebar
    from studio.ui.blocks import Blocks
    from studio.ui.errors import hide_folders
    from studio.ui.tabs import Page, tabs

    settings = studio.settings
    hide_folders(settings.workspace, settings.model_dir, settings.models_dir)
    with Blocks(title="Palimpsest", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        gr.HTML(HEADER, apply_default_css=False, elem_id="header")
        side = sidebar.build(studio, demo)
        desk = handover.desk()
        # Outside of the tabs: a component in a tab that is not shown is not there yet, and its memory would be lost.
        memories, drafts = (
            {
                tab.id: gr.BrowserState(None, storage_key=f"palimpsest-{tab.id}{more}", secret="palimpsest-page")
                for tab in tabs()
                if tab.remembers
            }
            for more in ("", "-draft")
        )
        with gr.Tabs(elem_id="tabs") as strip:
            page = Page(studio, demo, side, strip, desk, opened, memories, drafts)
            for tab in tabs():
                with gr.Tab(tab.title, id=tab.id, elem_id=f"tab-{tab.id}"):
                    tab.build(page)
        api.build(studio)
    return demo


def serve(settings: Settings, studio: Studio | None = None) -> None:
    """Open the page and keep it open until interrupted (Ctrl+C, SIGTERM). Prints one line, the address.

    studio: an open one, which stays open; without it, one is opened on the settings' workspace and closed at the end.
    Raises EnvironmentProblem (port taken, no such address, vibe mode) and what `Studio.open` does.
    """
    port = free_port(settings.host, settings.port)
    prepare_environment(settings)
    quick_gradio.install()
    methods.start()
    with contextlib.ExitStack() as stack:
        if studio is None:
            from studio.services.generate import Studio

            studio = stack.enter_context(Studio(settings))
        waker = Waker(studio)
        demo = launch(build(studio, waker.wake), studio, settings.host, port)
        stack.callback(demo.close, verbose=False)
        print(f"Palimpsest is open at http://{_in_url(settings.host)}:{port}", flush=True)
        wait_for_end(waker.wake)


def launch(demo: gr.Blocks, studio: Studio, host: str, port: int) -> gr.Blocks:
    """Start serving, and return once the page answers. Everything is said out loud: what is left out, Gradio takes
    from its environment variables or from defaults that share more than a studio on one's own machine should.
    """
    from starlette.middleware import Middleware

    from studio.ui import exports, pictures, security, theme
    from studio.ui.guidance import glance as guidance_glance
    from studio.ui.prompt import glance
    from studio.ui.refusals import Refusals

    demo.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        share=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        strict_cors=True,
        show_error=False,
        root_path="",
        max_file_size="2gb",
        max_threads=12,
        state_session_capacity=200,
        allowed_paths=[],
        blocked_paths=[str(studio.settings.workspace.resolve() / name) for name in KEPT],
        theme=theme.theme(),
        head=theme.head(),
        app_kwargs={
            "middleware": [*security.middleware(host), Middleware(Refusals)],
            "routes": [
                pictures.route(studio),
                glance.route(studio),
                guidance_glance.route(studio),
                *exports.routes(studio),
            ],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    )
    return demo


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


def free_port(host: str, port: int) -> int:
    """Give `port` if it can be listened on, for 0 one that can. Raises EnvironmentProblem."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name != "nt":  # there it would let two servers share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            where = f"port {port} of {host}"
            raise EnvironmentProblem(
                f"The page cannot be opened on {where}: {(error.strerror or str(error)).lower()}.",
                "Close what uses it, or choose another with --port (0 takes a free one).",
            ) from None
        return int(probe.getsockname()[1])


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
            threading.Thread(target=self._warm, name="waker", daemon=True).start()

    def _warm(self) -> None:
        try:
            self.studio.warm()
            # Checks recipes, and is seconds of torch, which the first job need not wait for.
            importlib.import_module("studio.guidance")
        except Exception:  # the first job meets the same, and tells it
            logging.getLogger(__name__).exception("the engine could not be started ahead of the first job")


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


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
