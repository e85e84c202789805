"""What stands between the page and other pages: host and origin check, security headers, body limit.

Gradio itself checks no Host header, so any web page could reach a studio on this machine by DNS rebinding: a name
of the attacker's that resolves to 127.0.0.1. All three are plain ASGI, because Starlette's BaseHTTPMiddleware
buffers the event streams that Gradio answers with.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 2_000_000  # a form with both prompts at their limit, every character escaped, is below a tenth
MAX_UPLOAD_BYTES = 2_001_000_000  # the largest LoRA files there are, and the form around one; pictures have less of it
UPLOAD_PATHS = ("/gradio_api/upload", "/upload")

# Gradio's page starts from inline scripts and compiles its templates, hence the two "unsafe" words; what the policy
# does hold is that nothing is loaded from, or sent to, another machine.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # another page must not show our pictures as its own <img>
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


def middleware(host: str) -> list[Middleware]:
    """The stack for a studio that listens on `host`, outermost first: headers are also on what the others refuse."""
    return [
        Middleware(SecurityHeaders),
        Middleware(HostGuard, names=allowed_names(host)),
        Middleware(BodyLimit),
    ]


def allowed_names(host: str) -> frozenset[str]:
    """Names a browser may call us by. Addresses are judged by `HostGuard`: no rebinding works through an address."""
    names = {"localhost", host.lower()}
    if not _is_loopback(host):  # the user opened the studio to the network
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


class HostGuard:
    """Answers 400 to a Host that is not ours, and 403 to a request that changes something from another origin.

    names: lower case, without port. A loopback address is always ours; another address only if `names` holds a name
    beyond loopback, that is, if the studio listens on the network.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app, self.names = app, names
        self.on_network = any(not _is_loopback(name) for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers, scope.get("method", "GET"))
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, headers: Headers, method: str) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if not self._is_ours(_without_port(host)):
            return PlainTextResponse("This studio does not answer to that host name.", status_code=400)
        origin = headers.get("origin")
        # "null" (a sandboxed frame, a local file) has no netloc, so it is refused as well.
        if method not in ("GET", "HEAD", "OPTIONS") and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("This studio does not take requests from another page.", status_code=403)
        return None

    def _is_ours(self, name: str) -> bool:
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.on_network


class SecurityHeaders:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Answers 413 to a body that is too long, whether its length is declared or it comes in chunks."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, max_upload_bytes: int = MAX_UPLOAD_BYTES) -> None:
        self.app, self.max_bytes, self.max_upload_bytes = app, max_bytes, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.max_upload_bytes if scope["path"] in UPLOAD_PATHS else self.max_bytes
        declared = Headers(scope=scope).get("content-length", "")
        refusal = PlainTextResponse(f"A request may hold at most {limit} bytes.", status_code=413)
        if declared.isdigit() and int(declared) > limit:
            await refusal(scope, receive, send)
            return
        seen, answered, cut = 0, False, False

        async def counted() -> Message:
            nonlocal seen, cut
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                cut = True
                return {"type": "http.disconnect"}  # the application gives up reading, as for a closed connection
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            if cut and not answered:
                return  # whatever it says of the disconnection, the answer is ours
            answered = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except Exception:  # starlette's ClientDisconnect, wrapped or not, is what we caused; anything else goes on
            if not cut:
                raise
        if cut and not answered:
            await refusal(scope, receive, send)


def _without_port(host: str) -> str:
    """`localhost:7860` -> `localhost`, `[::1]:7860` -> `::1`, in lower case; "" for what is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
