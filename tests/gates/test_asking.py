"""The http test and proof: what is sent, what counts as an answer, and what is told of a wrong one."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio
import httpx
import pytest

from providers.bluegreen.failures import GateFailed
from providers.bluegreen.spec_gates import HttpProof, HttpTest
from providers.gates.asking import BODY_CAP_BYTES, ask, ask_url
from providers.gates.output import LONGEST_RAW, Scrubber
from tests.gates.app import App, serving

PATIENCE_S = 20.0
pytestmark = pytest.mark.anyio


@pytest.fixture
def app() -> Iterator[App]:
    with serving() as app:
        yield app


def a_test(**keys: Any) -> HttpTest:
    return HttpTest.model_validate({"type": "http", "name": "rooms-open", "path": "/rooms?x=1", **keys})


async def send(
    url: str,
    test: HttpTest,
    *,
    secrets: tuple[str, ...] = (),
    waiting: Callable[[str], None] = lambda why: None,
) -> str:
    with anyio.fail_after(PATIENCE_S):
        async with httpx.AsyncClient(trust_env=False) as http:
            return await ask(http, url, test, scrubber=Scrubber(secrets), waiting=waiting)


async def refusal(url: str, test: HttpTest, **options: Any) -> str:
    """What is told of a wrong answer."""
    with pytest.raises(GateFailed) as caught:
        await send(url, test, **options)
    return "\n".join(caught.value.reasons)


async def test_the_request_is_as_configured(app: App) -> None:
    """Method, path with its query, headers and body, and nothing that a compressed answer could hide in."""
    test = a_test(method="POST", headers={"X-Key": "k", "Host": "rooms.example"}, body='{"a": "é"}')
    assert await send(app.url, test) == "POST /rooms?x=1 answered 200"
    (asked,) = app.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/rooms?x=1", '{"a": "é"}'.encode())
    assert asked.headers["x-key"] == "k"
    assert asked.headers["host"] == "rooms.example"
    assert asked.headers["accept-encoding"] == "identity"


async def test_an_answer_with_all_that_is_expected_passes(app: App) -> None:
    """JSON may have more than was named, at any depth; header names have no case."""
    rooms = {"rooms": [{"name": "a", "players": 3}, {"name": "b"}], "ok": True, "load": 1.0, "more": None}
    app.answer(json.dumps(rooms).encode(), 201, X_Version="v2")
    expected = {"rooms": [{"players": 3}, {"name": "b"}], "ok": True, "load": 1, "more": None}
    expect = {"status": 201, "headers": {"x-vERSION": "v2"}, "json": expected, "matches": r'"players":\s\d'}
    assert await send(app.url, a_test(expect=expect))


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": 201}, "expected status 201, got 200"),
        ({"headers": {"x-version": "v3"}}, "expected header x-version: v3, got v2"),
        ({"headers": {"x-none": "v2"}}, "expected a header x-none, got none"),
        ({"json": {"deep": {"er": [{"n": 2}]}}}, "expected deep.er[0].n to be 2, got 1"),
        ({"json": {"deep": {"other": 1}}}, "expected deep.other in the JSON, got none"),
        ({"json": {"deep": {"er": []}}}, 'expected deep.er to be [], got [{"n": 1, "m": 0}]'),
        ({"json": {"deep": [1]}}, 'expected deep to be [1], got {"er": [{"n": 1, "m": 0}]}'),
        ({"json": {"ok": 1}}, "expected ok to be 1, got true"),
        ({"json": {"ok": "true"}}, 'expected ok to be "true", got true'),
        ({"json": {"none": False}}, "expected none to be false, got null"),
        ({"json": []}, "expected the JSON to be [], got {"),
        ({"matches": "^ok$"}, "expected a body that matches ^ok$"),
    ],
)
async def test_what_is_not_as_expected_fails_and_is_told(app: App, expect: dict[str, Any], told: str) -> None:
    """Each expectation by itself fails the test, and the error has what was expected and what came."""
    app.answer(b'{"deep": {"er": [{"n": 1, "m": 0}]}, "ok": true, "none": null}', X_Version="v2")
    reasons = await refusal(app.url, a_test(expect=expect))
    assert f"GET /rooms?x=1: {told}" in reasons
    assert 'GET /rooms?x=1 answered: {"deep": {"er"' in reasons


async def test_everything_that_is_wrong_is_told_at_once(app: App) -> None:
    """One deploy shows all of it."""
    app.answer(b"Internal Server Error", 500)
    reasons = await refusal(app.url, a_test(expect={"json": {"a": 1}, "matches": "rooms"}))
    assert [line.partition(": ")[2] for line in reasons.splitlines()] == [
        "expected status 200, got 500",
        "expected JSON, got something else",
        "expected a body that matches rooms",
        "Internal Server Error",
    ]


async def test_a_machine_that_does_not_listen_yet_is_asked_again() -> None:
    """A refused connection is no verdict; whoever waits is told why."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with ExitStack() as stack:
        whys: list[str] = []

        def waiting(why: str) -> None:
            if not whys:
                stack.enter_context(serving(port))
            whys.append(why)

        assert await send(f"http://127.0.0.1:{port}", a_test(), waiting=waiting)
    assert whys[0].startswith("GET /rooms?x=1 has no answer: ConnectError")


@contextmanager
def breaking_off(*beginnings: bytes) -> Iterator[str]:
    """A server that resets a connection after each of these, and answers the next one."""

    def serve() -> None:
        for said in beginnings:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(said)
                if not said:  # with a reset, which would overtake what was said
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(PATIENCE_S)


async def test_an_answer_that_breaks_off_is_none() -> None:
    """Reset before an answer, or in the middle of one: asked again."""
    whys: list[str] = []
    with breaking_off(b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf") as url:
        assert await send(url, a_test(), waiting=whys.append)
    assert len(whys) == 3


async def test_it_asks_until_the_caller_has_had_enough() -> None:
    """Its deadline is the test's own."""
    whys: list[str] = []
    with socket.socket() as deaf, anyio.move_on_after(PATIENCE_S) as scope:
        deaf.bind(("127.0.0.1", 0))

        def waiting(why: str) -> None:
            whys.append(why)
            if len(whys) == 3:
                scope.cancel()

        await send(f"http://127.0.0.1:{deaf.getsockname()[1]}", a_test(), waiting=waiting)
    assert scope.cancelled_caught
    assert len(whys) == 3


async def test_a_slow_answer_is_waited_for_and_not_asked_for_twice(app: App) -> None:
    """Only the caller's deadline counts: at a client's own timeout a POST would be sent, and done, again."""
    no_time = httpx.Timeout(0.0, connect=PATIENCE_S)
    async with httpx.AsyncClient(trust_env=False, timeout=no_time) as http:
        assert await ask(http, app.url, a_test(method="POST"), scrubber=Scrubber(()), waiting=pytest.fail)
    assert len(app.asked) == 1


@pytest.mark.parametrize("header", ["Bearer correct-horse-battery", "correct-horse-battery"])
async def test_a_secret_header_is_never_shown(app: App, header: str) -> None:
    """Not where the app echoes it, whole or in part, in its body or in a header."""
    app.answer(b'{"authorization": "correct-horse-battery"}', X_Echo=header)
    expect = {"status": 204, "headers": {"x-echo": "nothing"}, "json": {"authorization": ""}, "matches": "^$"}
    reasons = await refusal(app.url, a_test(headers={"authorization": header}, expect=expect))
    assert reasons.count("[secret]") >= 3
    assert "horse" not in reasons


@pytest.mark.parametrize("value", ["correct-horse\r\nX-More: 1", "correct-hörse", "correct-horse\0"])
async def test_a_header_that_http_does_not_allow_is_refused_unseen(app: App, value: str) -> None:
    """The client's own error would show it."""
    reasons = await refusal(app.url, a_test(headers={"x-key": value}))
    assert "cannot be sent" in reasons
    assert "correct" not in reasons
    assert app.asked == []


async def test_other_secrets_and_escapes_in_an_answer_are_not_shown(app: App) -> None:
    """What the app says is shown on one line, in part, and never with half of a secret at the end."""
    begun = b"first: correct-horse-battery\n"
    escapes = b"\x1b[2J" * ((LONGEST_RAW - len(begun) - len("corr")) // 4)
    app.answer(begun + escapes + b"correct-horse-battery", 500)
    reasons = await refusal(app.url, a_test(), secrets=("correct-horse-battery",))
    assert "answered: first: [secret]" in reasons
    assert "corr" not in reasons
    assert "\x1b" not in reasons
    assert len(reasons) < 1_000


# httpx leaves the generators inside of a stream that is not read to its end to the event loop, and trio warns of that.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_body_without_an_end_is_not_read_to_its_end(app: App) -> None:
    """1 MiB is enough for a pattern; JSON that is longer proves nothing."""
    piece = b"ok " * 10_000
    app.body = lambda asked: itertools.repeat(piece)
    assert await send(app.url, a_test(expect={"matches": "ok"}))
    assert "too long" in await refusal(app.url, a_test(expect={"json": {}}))
    app.body = lambda asked: itertools.chain([b"x" * BODY_CAP_BYTES], itertools.repeat(piece))
    assert "matches ok" in await refusal(app.url, a_test(expect={"matches": "ok"}))


async def test_a_redirect_is_an_answer(app: App) -> None:
    """Following it would test another machine, or hand the headers to another host."""
    app.answer(b"", 302, Location=f"{app.url}/elsewhere")
    assert await send(
        app.url, a_test(expect={"status": 302, "headers": {"location": f"{app.url}/elsewhere"}})
    )
    assert [asked.path for asked in app.asked] == ["/rooms?x=1"]


async def test_cookies_of_one_machine_are_not_sent_to_another(app: App) -> None:
    """Behind the tunnel all machines have the same host name, and a client keeps cookies by that."""
    app.answer(b"", Set_Cookie="room=1; Path=/")
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(2):
            await ask(http, app.url, a_test(), scrubber=Scrubber(()))
    assert [asked.headers["cookie"] for asked in app.asked] == [None, None]


async def test_a_proof_is_asked_for_at_its_own_address(app: App) -> None:
    """As a test is, with its headers and expectations; a password in the address is not shown."""
    url = app.url.replace("//", "//me:hunter2@") + "/saved?key=hunter3"
    expect = {"json": {"saved": True}}
    proof = HttpProof.model_validate(
        {"type": "http", "url": url, "headers": {"x-key": "k"}, "expect": expect}
    )
    app.answer(b'{"saved": true}')
    async with httpx.AsyncClient(trust_env=False) as http:
        assert await ask_url(http, proof, scrubber=Scrubber(())) == f"GET {app.url}/saved answered 200"
        app.answer(b'{"saved": false}')
        with pytest.raises(GateFailed, match="expected saved to be true, got false") as caught:
            await ask_url(http, proof, scrubber=Scrubber(()))
    assert "hunter" not in str(caught.value)
    assert app.asked[0].path == "/saved?key=hunter3"
    assert app.asked[0].headers["x-key"] == "k"
    assert app.asked[0].headers["authorization"].startswith("Basic ")
