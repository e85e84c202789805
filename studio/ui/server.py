"""The page's server: Gradio's application behind our own guards, on a socket bound before anything else is done.

Gradio's `launch` would start one as well, but asks its own page whether it is there: through the proxy that the
environment names, for three seconds, and gives up with an advice to share the page with the internet. It also stands
outside of the guards it is given, so that its own CORS answers come first. Mounted, as its documentation has it, it
stands inside, and whether the page is there is known from the server itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette

from studio.core.errors import EnvironmentProblem

if TYPE_CHECKING:
    import gradio as gr

    from studio.services.studio import Studio

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
    "pad-links.json",
)
STOP_S = 5.0  # how long open answers may take to end when the page is closed
# How long a quiet connection stays open. Programs drop theirs after some seconds (httpx after 5): were ours the shorter
# time, or the same, a request of theirs could meet a connection that is just being closed.
QUIET_S = 75


def listen(host: str, port: int) -> socket.socket:
    """Give a socket that listens on that address, on a free port for 0; it is ours from here on.

    host: a name or an address, IPv6 with or without brackets. Raises EnvironmentProblem.
    """
    family, address = resolved(host[1:-1] if host.startswith("[") and host.endswith("]") else host, port)
    listener = socket.socket(family)
    try:
        if os.name != "nt":  # there it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise EnvironmentProblem(
            f"The page cannot be opened on port {port} of {host}: {(error.strerror or str(error)).lower()}.",
            "Close what uses it, or choose another with --port (0 takes a free one).",
        ) from None
    return listener


def resolved(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """Family and address to listen on. Raises EnvironmentProblem for a name that means no address."""
    try:
        version = ipaddress.ip_address(host).version
        return (socket.AF_INET6 if version == 6 else socket.AF_INET), (host, port)
    except ValueError:
        pass
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host.strip() else []
    except (OSError, ValueError):  # ValueError, also as UnicodeError: for what no name server could be asked
        addresses = []
    if not addresses:
        raise EnvironmentProblem(
            f"The page cannot be opened on {host[:80]!r}: there is no such host.",
            "Name an address of this machine with --host (127.0.0.1 is for this machine alone).",
        )
    # IPv4 first: "localhost" then means what it does to programs that know nothing else.
    family, *_, address = min(addresses, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds a page that listens there."""
    bare = host.strip("[]")
    name = "localhost" if bare in ("0.0.0.0", "::") else f"[{bare}]" if ":" in bare else bare
    return f"http://{name}:{port}"


def application(demo: gr.Blocks, studio: Studio, host: str) -> Starlette:
    """The page as an ASGI application. Everything is said out loud: what is left out, Gradio takes from its
    environment variables or from defaults that share more than a studio on one's own machine should.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    from studio.ui import about, exports, pictures, security, theme, walkthrough, watch
    from studio.ui.refusals import Refusals
    from studio.ui.tabs import tabs

    demo.max_threads = demo._queue.max_thread_count = 12
    demo.state_session_capacity = 200
    demo.share = False
    demo.has_launched = True  # while it is not, Gradio takes files from anywhere
    app = gr.mount_gradio_app(
        cast(Any, Starlette(middleware=security.middleware(host))),  # nothing that FastAPI adds to it is asked for
        demo,
        path="",
        server_name=host,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        show_error=False,
        root_path="",
        max_file_size="2gb",
        allowed_paths=[],
        blocked_paths=[str(studio.settings.workspace.resolve() / name) for name in KEPT],
        theme=theme.theme(),
        head=theme.head(tabs()),
        app_kwargs={
            "middleware": [Middleware(Refusals)],
            "routes": [
                pictures.route(studio),
                watch.route(studio),
                about.route(studio),
                *walkthrough.routes(studio),
                *exports.routes(studio),
                *(route for tab in tabs() for route in tab.routes(studio)),
            ],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    )
    demo.config = demo.get_config_file()  # once more: mounting makes it before it knows of the theme
    return app


def end_streams(demo: gr.Blocks, app: Starlette) -> None:
    """Have the answers that go on for as long as a page is open (heartbeats, events) end. app: of `application`."""
    demo._queue.close()
    demo.is_running = False
    for route in app.routes:
        stop_event: asyncio.Event | None = getattr(getattr(route, "app", None), "stop_event", None)
        if stop_event is not None:
            stop_event.set()


class PageServer:
    """Serves an application from a thread of its own, from `start` until `close`."""

    def __init__(self, app: Starlette, listener: socket.socket, closing: Callable[[], None] = lambda: None) -> None:
        """listener: of `listen`. closing: called when `close` begins."""
        from gradio.http_server import Config, Server  # uvicorn's, but for the signals, which are ours

        self.listener, self.closing = listener, closing
        self.failure: BaseException | None = None
        config = Config(
            app, log_level="warning", lifespan="on", timeout_graceful_shutdown=int(STOP_S), timeout_keep_alive=QUIET_S
        )
        self.server = Server(config)
        self.thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Return when the page answers, however long a busy machine takes. Raises EnvironmentProblem if it never will.

        No request is made for it: that the application has started and the socket is read is what the server says.
        """
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.01)
            if not self.thread.is_alive() and not self.server.started:
                reason = f": {self.failure}" if self.failure else ""
                raise EnvironmentProblem(
                    f"The page's server has ended before it began{reason}.", "See the lines above."
                )

    def close(self) -> None:
        """Stop answering and let go of the port. May be called twice."""
        self.closing()
        self.server.should_exit = True
        if self.thread.is_alive():
            self.thread.join(STOP_S)
        self.listener.close()

    def _run(self) -> None:
        try:
            self.server.run(sockets=[self.listener])
        except BaseException as error:  # uvicorn ends with SystemExit
            self.failure = error
