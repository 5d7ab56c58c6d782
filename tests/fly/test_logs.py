"""The last lines of a machine: had where they can be had, never an obstacle, and the token goes nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest

from providers.fly import Logs, connect
from providers.fly.logs import BODY_CAP_BYTES, DEFAULT_BASE_URL, LINE_CAP
from tests.virtual_time import run

ID = "148e21ea7d5e38"
Serve = Callable[[httpx.Request], Awaitable[httpx.Response]]


def entries(*messages: str, instance: str = ID) -> list[dict[str, object]]:
    return [{"id": "1", "type": "log", "attributes": {"message": m, "instance": instance}} for m in messages]


def document(*entries: dict[str, object]) -> httpx.Response:
    return httpx.Response(200, json={"data": entries, "meta": {"next_token": "1"}})


def ask(answer: httpx.Response | Serve, base_url: str = "https://api.machines.dev", limit: int = 20):
    """The lines, and the requests that were sent for them."""
    requests: list[httpx.Request] = []

    async def serve(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer if isinstance(answer, httpx.Response) else await answer(request)

    async def main() -> tuple[str, ...]:
        transport = httpx.MockTransport(serve)
        async with connect("fm2_canary", base_url, secrets=["s3cret word"], transport=transport) as api:
            with anyio.fail_after(60):
                return await Logs(api, "rooms").last_lines(ID, limit)
        raise AssertionError

    return run(main), requests


@pytest.fixture(autouse=True)
def _no_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLY_API_BASE_URL", raising=False)


def test_the_newest_lines_are_answered_oldest_first() -> None:
    """As many as were asked for, of this machine alone, whatever the server filtered."""
    lines, [request] = ask(
        document(*entries("a", "b\nc"), *entries("x", instance="other"), *entries("d")), limit=3
    )
    assert lines == ("b", "c", "d")
    assert str(request.url) == f"{DEFAULT_BASE_URL}/api/v1/apps/rooms/logs?instance={ID}"
    assert request.headers["authorization"] == "FlyV1 fm2_canary"


def test_lines_are_fit_to_be_shown() -> None:
    """No terminal escapes, no secrets even when an escape hides them, nothing endless, no word cut in two."""
    hostile = ["\x1b[31mred\x1b[0m \x07bell", "s3c\x1b[1mret word, fm2_canary", "w " + "x" * LINE_CAP]
    lines, _ = ask(document(*entries(*hostile)))
    assert lines == ("red bell", "[secret], [secret]", "w …")


NO_ANSWERS = {
    "401": httpx.Response(401, json={"error": "no"}),
    "404": httpx.Response(404),
    "500": httpx.Response(500),
    "no JSON": httpx.Response(200, content=b"<html>"),
    "bad UTF-8": httpx.Response(200, content=b'{"data": "\xff"}'),
    "other JSON": httpx.Response(200, json=[1]),
    "other data": httpx.Response(200, json={"data": [{"attributes": {"message": 7}}]}),
    "nested": httpx.Response(200, content=b"[" * 100_000),
    "nothing": httpx.Response(200, json={"data": []}),
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_cannot_be_had_is_no_line(answer: httpx.Response) -> None:
    """Whatever goes wrong there are no lines and no error: the call is not supported officially."""
    assert ask(answer)[0] == ()


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    """The cap holds for an answer without a length."""
    pulled = 0

    class Huge(httpx.AsyncByteStream):
        async def __aiter__(self):
            nonlocal pulled
            while pulled < 4 * BODY_CAP_BYTES // 1024:
                pulled += 1
                yield b"x" * 1024

    async def main() -> tuple[str, ...]:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Huge()))
        async with connect("t", transport=transport) as api:
            return await Logs(api, "rooms").last_lines(ID)

    assert anyio.run(main) == ()
    assert pulled <= BODY_CAP_BYTES // 1024 + 2


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadError("x"), httpx.ReadTimeout("x")])
def test_a_network_failure_is_no_line(error: httpx.TransportError) -> None:
    """Neither is a host that cannot be reached, or that hangs up."""

    async def fail(request: httpx.Request) -> httpx.Response:
        raise error

    assert ask(fail)[0] == ()


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    """Seconds, however long the deadline around it is."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    assert ask(hang)[0] == ()


def test_the_callers_deadline_holds() -> None:
    """Best effort swallows no cancellation."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    async def main() -> bool:
        transport = httpx.MockTransport(hang)
        async with connect("t", transport=transport) as api:
            with anyio.move_on_after(1) as scope:
                await Logs(api, "rooms").last_lines(ID)
        return scope.cancelled_caught

    assert run(main)


def test_redirects_are_not_followed() -> None:
    """A redirect would carry the token to another host."""
    lines, requests = ask(httpx.Response(302, headers={"location": "https://evil.test/"}))
    assert lines == ()
    assert {request.url.host for request in requests} == {"api.fly.io"}


@pytest.mark.parametrize(
    ("machines_api", "variable", "asked"),
    [
        ("https://api.machines.dev", None, "https://api.fly.io"),
        ("http://_api.internal:4280", None, "https://api.fly.io"),
        ("http://127.0.0.1:4280", None, "http://127.0.0.1:4280"),
        ("https://fly.example/machines", None, "https://fly.example"),
        ("https://api.machines.dev", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
    ],
)
def test_the_token_goes_to_the_configured_host_alone(
    monkeypatch: pytest.MonkeyPatch, machines_api: str, variable: str | None, asked: str
) -> None:
    """flyctl's variable decides; without it Fly's tokens go to Fly, and another API's to no other host than its own."""
    if variable:
        monkeypatch.setenv("FLY_API_BASE_URL", variable)
    _, requests = ask(document(*entries("a")), machines_api)
    assert [str(request.url).partition("/api/v1")[0] for request in requests] == [asked]


@pytest.mark.parametrize("variable", ["api.fly.io", "ftp://api.fly.io", "http://:x", "/x"])
def test_a_variable_that_is_no_url_sends_nothing(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Neither an error nor a request to somewhere else."""
    monkeypatch.setenv("FLY_API_BASE_URL", variable)
    assert ask(document(*entries("a"))) == ((), [])
