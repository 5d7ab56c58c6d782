"""What a proxy changes in the heads that pass it. Pure.

h11 gives header names in lower case, and frames bodies by itself on each side: so framing is dropped here and
added anew, which leaves no room for a request that the two sides would cut differently.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import h11

from simulator.proxy.route import Ask, Refusal, choose_app

Headers = list[tuple[bytes, bytes]]

VIA = b"1.1 fly.io"
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
# Set by the proxy alone: a client must not be able to pretend.
REQUEST_OWN = frozenset(
    b"content-length expect host via x-sim-edge fly-client-ip fly-region fly-replay-src fly-request-id"
    b" x-forwarded-for x-forwarded-proto".split()
)
RESPONSE_OWN = frozenset(b"fly-replay fly-replay-cache fly-request-id via".split())
UPGRADE = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


@dataclass(frozen=True)
class Origin:
    """Where a request came from: the client's address, and the id that the proxy gave the request."""

    client_ip: str
    request_id: str


def find(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The first value of a header (`name` in lower case), or None."""
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def split_target(target: bytes) -> tuple[str | None, bytes]:
    """A request target's authority, if it has one (`http://host/path`), and its path with query."""
    if not target.lower().startswith(b"http://"):
        return None, target
    authority, slash, rest = target[len(b"http://") :].partition(b"/")
    return authority.decode("latin-1"), slash + rest or b"/"


def read_ask(request: h11.Request, apps: list[str], default_edge: str) -> Ask:
    """What a client asked for. Raises Refusal 404 for an unknown app, 405 for CONNECT."""
    if request.method == b"CONNECT":
        raise Refusal(405, "CONNECT is not supported")
    path = split_target(request.target)[1].partition(b"?")[0].decode("latin-1")
    return Ask(
        app=choose_app(_find_host(request), apps),
        edge=find(request.headers, b"x-sim-edge") or default_edge,
        path=path,
        prefer=find(request.headers, b"fly-prefer-region"),
        instance=find(request.headers, b"fly-force-instance-id"),
        websocket=is_websocket(request),
    )


def is_websocket(request: h11.Request) -> bool:
    """Whether a request wants to become a WebSocket."""
    return b"upgrade" in _tokens(request.headers, b"connection") and b"websocket" in _tokens(
        request.headers, b"upgrade"
    )


def build_request(
    request: h11.Request, ask: Ask, origin: Origin, *, length: int | None, source: str | None
) -> h11.Request:
    """The head that a machine gets, with `source` as its `fly-replay-src`.

    `length` is the size of the body in bytes; None for what the client declared, if it did.
    """
    forwarded = find(request.headers, b"x-forwarded-for")
    own: Headers = [
        (b"host", _find_host(request).encode("latin-1")),
        *_pass_on(request.headers, REQUEST_OWN),
        (b"fly-region", ask.edge.encode("latin-1")),
        (b"fly-request-id", origin.request_id.encode("latin-1")),
        (b"fly-client-ip", origin.client_ip.encode("latin-1")),
        (b"x-forwarded-for", ", ".join(filter(None, (forwarded, origin.client_ip))).encode("latin-1")),
        (b"x-forwarded-proto", b"http"),
        *_append_via(request.headers),
        *_frame(request.headers, length),
        *(UPGRADE if ask.websocket else [(b"connection", b"close")]),
    ]
    if source is not None:
        own.append((b"fly-replay-src", source.encode("latin-1")))
    return h11.Request(method=request.method, target=split_target(request.target)[1], headers=own)


def build_response(response: h11.Response, request_id: str, *, last: bool) -> h11.Response:
    """The head that the client gets; `last` when its connection cannot be kept."""
    headers = _answer_headers(response.headers, request_id) + ([(b"connection", b"close")] if last else [])
    return h11.Response(status_code=response.status_code, reason=response.reason, headers=headers)


def build_informational(response: h11.InformationalResponse, request_id: str) -> h11.InformationalResponse:
    """A 1xx head for the client: 101 confirms the upgrade."""
    upgrade = UPGRADE if response.status_code == 101 else []
    headers = _answer_headers(response.headers, request_id) + upgrade
    return h11.InformationalResponse(
        status_code=response.status_code, reason=response.reason, headers=headers
    )


def build_refusal(refusal: Refusal, request_id: str, *, last: bool) -> tuple[h11.Response, bytes]:
    """The proxy's own answer: head and body."""
    body = f"{refusal.text}\n".encode()
    headers: Headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"fly-request-id", request_id.encode("latin-1")),
        (b"via", VIA),
        *([(b"connection", b"close")] if last else []),
    ]
    return h11.Response(status_code=refusal.status, headers=headers), body


def _find_host(request: h11.Request) -> str:
    return split_target(request.target)[0] or find(request.headers, b"host") or ""


def _tokens(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> set[bytes]:
    values = [value for key, value in headers if key == name]
    return {token.strip().lower() for value in values for token in value.split(b",")}


def _pass_on(headers: Iterable[tuple[bytes, bytes]], own: frozenset[bytes]) -> Headers:
    kept = list(headers)
    dropped = HOP_BY_HOP | own | _tokens(kept, b"connection")
    return [(name, value) for name, value in kept if name not in dropped]


def _append_via(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [*((name, value) for name, value in headers if name == b"via"), (b"via", VIA)]


def _answer_headers(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Headers:
    kept = list(headers)
    return [
        *_pass_on(kept, RESPONSE_OWN),
        (b"fly-request-id", request_id.encode("latin-1")),
        *_append_via(kept),
    ]


def _frame(headers: Iterable[tuple[bytes, bytes]], length: int | None) -> Headers:
    kept = list(headers)
    declared = find(kept, b"content-length")
    if declared is None and find(kept, b"transfer-encoding") is None:
        return []
    size = declared if length is None else str(length)
    return [(b"transfer-encoding", b"chunked")] if size is None else [(b"content-length", size.encode())]
