"""Faults of calls, as data: is the call applied, and what does the deployer see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.histories.steps import Fault

See = Callable[[httpx.Request, httpx.Response | None], httpx.Response]


@dataclass(frozen=True)
class Kind:
    """``applied``: the API does what it was asked before anything goes wrong."""

    applied: bool
    see: See


def _status(status: int, **headers: str) -> See:
    body = {"error": "injected"}
    shown = {"fly-request-id": "01INJECTED", **{key.replace("_", "-"): text for key, text in headers.items()}}
    return lambda request, answer: httpx.Response(status, json=body, headers=shown, request=request)


def _raises(error: type[httpx.TransportError]) -> See:
    def see(request: httpx.Request, answer: httpx.Response | None) -> httpx.Response:
        raise error("injected", request=request)

    return see


def _content(content: bytes) -> See:
    return lambda request, answer: httpx.Response(200, content=content, request=request)


def _stale_list(request: httpx.Request, answer: httpx.Response | None) -> httpx.Response:
    """A list that knows of no machine yet. Any other call is answered as it is."""
    assert answer is not None
    if request.method == "GET" and request.url.path.endswith("/machines"):
        return httpx.Response(200, json=[], request=request)
    return answer


KINDS: dict[Fault, Kind] = {
    "500": Kind(False, _status(500)),
    "500 applied": Kind(True, _status(500)),
    "408": Kind(False, _status(408)),
    "408 applied": Kind(True, _status(408)),
    "429": Kind(False, _status(429)),
    "429 with Retry-After": Kind(False, _status(429, retry_after="2")),
    "403": Kind(False, _status(403)),
    "404": Kind(False, _status(404)),
    "refused": Kind(False, _raises(httpx.ConnectError)),
    "reset": Kind(False, _raises(httpx.ReadError)),
    "reset applied": Kind(True, _raises(httpx.ReadError)),
    "read timeout": Kind(False, _raises(httpx.ReadTimeout)),
    "read timeout applied": Kind(True, _raises(httpx.ReadTimeout)),
    "truncated": Kind(True, _content(b'{"id": "90801')),
    "wrong type": Kind(True, _content(b'{"id": 7, "machines": "none", "state": null}')),
    "stale list": Kind(True, _stale_list),
    "redirect": Kind(False, _status(307, location="http://elsewhere.test/v1/apps")),
}
