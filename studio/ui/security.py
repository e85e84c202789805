"""What stands between the page and other pages: host and origin check, security headers, body limit.

Gradio itself checks no Host header, so any web page could reach a studio on this machine by DNS rebinding: a name
of the attacker's that resolves to 127.0.0.1. And it lets a page of any other program on this machine, on whatever port,
read its answers. Ours are plain ASGI, because Starlette's BaseHTTPMiddleware buffers the event streams that Gradio
answers with.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 2_000_000  # a form with both prompts at their limit, every character escaped, is below a tenth
MAX_UPLOAD_BYTES = 2_001_000_000  # the largest LoRA files there are, and the form around one; pictures have less of it
# A body may take this long, and a second more for each so many bytes of it: who sends one by one is given up.
BODY_PATIENCE_S = 60.0
SLOWEST_BYTES_S = 1_000
LABEL_UPLOAD = "/label/exchange/upload"  # a file of a set of labels
UPLOAD_PATHS = ("/gradio_api/upload", "/upload", LABEL_UPLOAD)
# A Host header as browsers write it: a name or an IPv4 address, or an IPv6 address in brackets; maybe a port.
_HOST = re.compile(
    r"(?:(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)|\[(?P<ipv6>[0-9a-f]*:[0-9a-f:.]*)\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}

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
    """The stack for a studio that listens on `host`, outermost first: headers are also on what the others refuse.

    The last allows no origin: a page needs no leave to read its own, and where it stands, Gradio gives none to others.
    """
    return [
        Middleware(SecurityHeaders),
        Middleware(HostGuard, names=allowed_names(host)),
        Middleware(BodyLimit),
        Middleware(CORSMiddleware),
    ]


def allowed_names(host: str) -> frozenset[str]:
    """Names a browser may call us by. Addresses are judged by `HostGuard`: no rebinding works through an address."""
    host = host.strip("[]").lower()
    names = {"localhost", host}
    if not is_loopback(host):  # the user opened the studio to the network
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


class HostGuard:
    """Answers 400 to a Host that is not ours, and 403 to what another page asks, be it to read or to change something.

    names: lower case, without port. A loopback address is always ours; another address only if `names` holds a name
    beyond loopback, that is, if the studio listens on the network. The port of Host may be any, since a tunnel or proxy
    has its own; a page is ours if it came from the very host and port it asks.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app, self.names = app, names
        self.on_network = any(not is_loopback(name) for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope.get("method", "GET"))
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, headers: Headers, method: str) -> PlainTextResponse | None:
        hosts = headers.getlist("host")
        host = _split_host(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_ours(host[0]):
            return PlainTextResponse("This studio does not answer to that host name.", status_code=400)
        if not all(_is_same(origin, host) for origin in headers.getlist("origin")) or _is_from_elsewhere(
            headers, method
        ):
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
    """Answers 413 to a body that is too long, whether its length is declared or it comes in chunks, and 408 to one that
    comes too slowly.

    patience_s: how long one is waited for, and for each SLOWEST_BYTES_S of its bytes a second more.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BODY_BYTES,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        patience_s: float = BODY_PATIENCE_S,
    ) -> None:
        self.app, self.max_bytes, self.max_upload_bytes, self.patience_s = app, max_bytes, max_upload_bytes, patience_s

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
        received, waited_s, whole, answered, cut = 0, 0.0, False, False, False

        async def counted() -> Message:
            nonlocal received, waited_s, whole, cut, refusal
            if whole:  # from here on it is waited for the end of the connection
                return await receive()
            began = time.monotonic()
            try:
                left_s = self.patience_s + received / SLOWEST_BYTES_S - waited_s
                if left_s <= 0:  # what comes in time each time, and is too little, is too slow too
                    raise TimeoutError
                message = await asyncio.wait_for(receive(), left_s)
            except TimeoutError:
                cut = True
                refusal = PlainTextResponse("The request came in too slowly.", status_code=408)
                return {"type": "http.disconnect"}
            waited_s += time.monotonic() - began
            whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > limit:
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


def _split_host(host: str) -> tuple[str, int | None] | None:
    """`localhost:7860` -> ("localhost", 7860), `[::1]` -> ("::1", None), in lower case; None for what is no host.

    By its whole form, and not by a parser of addresses: those find a host in `evil@127.0.0.1` and in `127.0.0.1#.evil`.
    """
    match = _HOST.fullmatch(host.lower())
    if match is None or int(match["port"] or 0) > 65535:
        return None
    return match["name"] or match["ipv6"], int(match["port"]) if match["port"] else None


def _is_same(origin: str, host: tuple[str, int | None]) -> bool:
    """Whether an Origin header is of the page that `host` serves. "null" (a sandboxed frame, a local file) is of none.

    The scheme is not compared: a proxy that adds https in front of us leaves Host as the browser wrote it.
    """
    scheme, separator, rest = origin.partition("://")
    theirs = _split_host(rest) if separator and scheme in _DEFAULT_PORTS else None
    if theirs is None:
        return False
    default = _DEFAULT_PORTS[scheme]
    return (theirs[0], theirs[1] or default) == (host[0], host[1] or default)


def _is_from_elsewhere(headers: Headers, method: str) -> bool:
    """Whether the browser says that another page asks, other than by a link that opens ours in its place.

    Requests for pictures, scripts and styles carry no Origin. Another port of this machine is "same-site", and so no
    less another page. Programs that are no browser, and browsers before 2020-2023, do not say.
    """
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (opens and method in ("GET", "HEAD"))


def is_loopback(name: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
