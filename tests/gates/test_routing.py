"""The proof from outside: who counts as an answer, and what does not."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import anyio
import httpx
import pytest

from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import Answer
from providers.bluegreen.spec import RoutingProbe
from providers.gates.routing import HttpProber, outside

NAMED = RoutingProbe(path="/version", machine_key="machine_id")


def ask(respond, probe: RoutingProbe = NAMED, machine_id: str = "") -> Answer:
    async def main() -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
            return await HttpProber(http, "https://rooms.fly.dev", probe).ask("ams", machine_id)

    return anyio.run(main)


def test_an_answer_names_its_machine() -> None:
    """The question goes to the region it is about, and to one machine where it is asked for by id."""
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"machine_id": "148e21ea7d5e38"})

    assert ask(respond, machine_id="148e21ea7d5e38") == Answer("ams", "148e21ea7d5e38")
    assert asked[0].headers["fly-prefer-region"] == "ams"
    assert asked[0].headers["fly-force-instance-id"] == "148e21ea7d5e38"
    assert str(asked[0].url) == "https://rooms.fly.dev/version"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(503),
        httpx.Response(502, json={"machine_id": "x"}),
        httpx.Response(200, text="hello"),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(404, text="no such app"),
    ],
    ids=["503", "502", "not JSON", "no key", "a list", "404"],
)
def test_what_names_no_machine_proves_nothing(response: httpx.Response) -> None:
    """A proxy's error page, or an app that does not say which machine it is, is no answer yet."""
    with pytest.raises(NotYet):
        ask(lambda request: response)


def test_without_a_key_a_success_counts_and_nothing_else() -> None:
    """A 2xx comes from the app; a redirect or a 404 may be the platform's own."""
    assert ask(lambda request: httpx.Response(204), RoutingProbe()) == Answer("ams")
    for status in (301, 403, 404):
        with pytest.raises(NotYet):
            ask(lambda request, status=status: httpx.Response(status), RoutingProbe())


def test_a_connection_that_fails_is_no_answer() -> None:
    """Refused, reset or late: asked again until the deadline."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(NotYet, match="does not answer"):
        ask(refuse)


class KeepsOpen(BaseHTTPRequestHandler):
    """An app that would keep every connection, and tie each user to a machine; it notes both."""

    protocol_version = "HTTP/1.1"
    connections = 0
    cookies: ClassVar[list[str | None]] = []

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.cookies.append(self.headers["cookie"])
        self.send_response(200)
        self.send_header("set-cookie", "machine=148e21ea7d5e38; Path=/")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_every_question_is_a_strangers() -> None:
    """A kept connection, or an app's cookie, would go on reaching whom it reached before."""

    async def main(port: int) -> None:
        async with outside() as http:
            prober = HttpProber(http, f"http://127.0.0.1:{port}", RoutingProbe())
            for _ in range(3):
                await prober.ask("ams")

    with ThreadingHTTPServer(("127.0.0.1", 0), KeepsOpen) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            anyio.run(main, server.server_port)
        finally:
            server.shutdown()
    assert KeepsOpen.connections == 3
    assert KeepsOpen.cookies == [None] * 3
