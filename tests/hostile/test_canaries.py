"""Canary secrets everywhere that a deploy is given one, echoed by everything that can echo: they come out nowhere."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from providers import outputs, session
from providers.bluegreen.actions import testing
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.events import Event, Hear, all_of, lines
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.spec import Spec
from providers.fly import connect
from providers.gates import s3
from providers.gates.commands import CommandEnd
from providers.gates.lines import Hearing
from providers.gates.output import Scrubber
from providers.session import scrubber_of
from providers.timeline.record import Recorder
from simulator.private_network import PrivateNetwork
from tests.bluegreen.virtual import TOKEN, V1, V2, Kit, RouteProber, simulate
from tests.bluegreen.worlds import spec
from tests.hostile.words import every_word_of, listening, told

CANARY = "canary-7f3a"
SECRETS = {
    kind: f"{CANARY}-{kind}-0123456789"
    for kind in ("token", "app", "before", "header", "aws", "passphrase", "command", "argument")
}
ECHO = " ".join(secret for kind, secret in SECRETS.items() if kind not in ("command", "argument"))
"""What the app, the API and the checks know; a command is given secrets of its own."""
MAY_CARRY = ("token", "app", "before")
"""What the Machines API is given: the token in one header, the app's secrets in the body of one call."""


def of_secrets(image: str, **more: Any) -> Spec:
    test = {
        "type": "http",
        "name": "smoke",
        "path": "/version",
        "deadline": "10s",
        "headers": {"x-key": SECRETS["header"]},
        "expect": {"status": 418 if more.pop("fails", False) else 200},
    }
    return spec(image=image, tunnel="direct", secret_env={"API_KEY": SECRETS["app"]}, tests=[test], **more)


@dataclass
class Echo(httpx.AsyncBaseTransport):
    """The API behind its own token; what ``at`` says yes to is refused with all secrets in the body."""

    inner: httpx.AsyncBaseTransport
    at: Callable[[httpx.Request], bool]
    status: int
    sent: list[tuple[str, str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        body = (await request.aread()).decode()
        self.sent.append((f"{request.method} {request.url}", json.dumps(headers), body))
        assert request.headers["authorization"] == f"Bearer {SECRETS['token']}"
        request.headers["authorization"] = f"Bearer {TOKEN}"
        if self.at(request):
            return httpx.Response(self.status, json={"error": ECHO}, headers={"fly-request-id": "01REQ"})
        return await self.inner.handle_async_request(request)


@asynccontextmanager
async def real_context(
    kit: Kit, wanted: Spec, api: Echo, patch: pytest.MonkeyPatch
) -> AsyncIterator[Context]:
    """The context as Pulumi's provider makes it, over a platform in process."""
    patch.setenv("FLY_API_TOKEN", SECRETS["token"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["aws"])
    patch.setenv("PULUMI_CONFIG_PASSPHRASE", SECRETS["passphrase"])
    patch.setattr(session, "connect", partial(connect, transport=api))
    patch.setattr(s3, "open_store", lambda *_, **__: kit.store)
    patch.setattr(session, "_asked_to_stop", lambda: lambda: "")
    async with session.open_context(wanted, lines(kit.said.append)) as ctx:
        ctx.prober, ctx.now = RouteProber(kit.world, wanted.app), kit.world.clock.now
        async with httpx.AsyncClient(transport=PrivateNetwork(kit.runtime)) as private:
            ctx.private = private
            yield ctx


def found_in(*places: object) -> list[str]:
    """Excerpts around each canary."""
    texts = [place if isinstance(place, str) else repr(place) for place in places]
    return [text[max(0, text.index(CANARY) - 80) :][:200] for text in texts if CANARY in text]


FAILURES: dict[str, tuple[Callable[[httpx.Request], bool], int]] = {
    "nothing": (lambda request: False, 0),
    "list": (lambda request: request.url.path.endswith("/machines") and request.method == "GET", 403),
    "secrets": (lambda request: request.url.path.endswith("/secrets"), 422),
    "create": (lambda request: request.url.path.endswith("/machines") and request.method == "POST", 422),
    "stop": (lambda request: request.url.path.endswith("/stop"), 403),
    "cordon": (lambda request: request.url.path.endswith("/cordon"), 500),
    "lease": (lambda request: request.url.path.endswith("/lease"), 409),
}
COMMANDS = ("test", "proof")
ARGV = ("smoke", "--token", SECRETS["argument"])
PREVIOUS = {"API_KEY": SecretStr(SECRETS["before"]), "GONE": None}
SHORT = {"create_new": "20s", "verify": "20s", "drain_old": "20s", "switch_routes": "20s"}


@pytest.mark.parametrize("case", [*FAILURES, "a test's answer", "a check's output"])
def test_no_secret_comes_out(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no line, outcome, output, error, log record, machine, record of the platform, and no request but its own."""
    at, status = FAILURES.get(case, FAILURES["nothing"])
    wanted = of_secrets(V2, fails=case == "a test's answer", deadlines=SHORT)

    async def test(kit: Kit) -> None:
        assert (await kit.deploy(of_secrets(V1))).ending is Ending.DEPLOYED
        kit.said.clear()
        if case == "a check's output":
            _spoil_checks(kit)
        kit.runtime.script("rooms-g2-*", kit.app(serve=_echo) if case == "a test's answer" else kit.app())
        api = Echo(kit.http, at, status)
        outcome, error, logged = await _run(kit, wanted, api, monkeypatch)
        _assert_hidden(kit, wanted, outcome, error, logged, api)

    simulate(test)


async def _echo(*_: object) -> tuple[int, bytes]:
    return 200, ECHO.encode()


def _spoil_checks(kit: Kit) -> None:
    """Green's checks fail, and print what the app was given."""
    real = kit.http

    class Printing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await real.handle_async_request(request)
            body = json.loads(await answer.aread() or b"{}")
            if isinstance(body, dict) and "-g2-" in str(body.get("name")):
                body["checks"] = [{"name": f"servicecheck-{ECHO}", "status": "critical", "output": ECHO}]
            return httpx.Response(answer.status_code, json=body)

    kit.http = Printing()


async def _run(
    kit: Kit, wanted: Spec, api: Echo, patch: pytest.MonkeyPatch, *listeners: Hear
) -> tuple[Outcome | None, BaseException | None, list[str]]:
    request = Request(known_generation=1, previous_secrets=PREVIOUS)
    with listening() as heard:
        try:
            async with real_context(kit, wanted, api, patch) as ctx:
                ctx.hear = all_of(ctx.hear, *listeners)
                return await deploy(ctx, request), None, [*heard, repr(ctx), repr(request)]
        except CannotLook as refused:
            return None, refused, heard


def _assert_hidden(
    kit: Kit,
    wanted: Spec,
    outcome: Outcome | None,
    error: BaseException | None,
    logged: list[str],
    api: Echo,
) -> None:
    assert found_in(*told(wanted, kit.said, outcome, error)) == []
    assert found_in(outcome, *logged, every_word_of(error) if error else "") == []
    assert found_in(kit.world.history.read(), [m.config for m in kit.machines()], kit.store.objects) == []
    if outcome:
        state = outputs.of_outcome(wanted, outcome, {}, PREVIOUS)
        assert found_in({k: v for k, v in state.items() if k != outputs.BLUE_SECRETS}) == []
    for call, headers, body in api.sent:
        allowed = call.split("?")[0].endswith("/secrets")
        carried = [kind for kind, secret in SECRETS.items() if secret in body]
        assert set(carried) <= (set(MAY_CARRY) - {"token"} if allowed else set()), call
        assert found_in(call, headers) == []


def with_command(of: str, image: str) -> Spec:
    """A command in verify, or one that proves the saved state, with a secret in its environment and in its argv."""
    given: dict[str, Any] = {"type": "command", "argv": ARGV, "env": {"KEY": SECRETS["command"]}}
    if of == "test":
        return of_secrets(image, deadlines=SHORT).model_copy(update={"tests": (_parsed_test(given),)})
    return of_secrets(image, deadlines=SHORT, state_proof=given)


def _parsed_test(given: dict[str, Any]) -> Any:
    return spec(image=V2, tests=[given | {"name": "smoke", "deadline": "10s"}]).tests[0]


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("of", COMMANDS)
def test_no_secret_of_a_command_comes_out(of: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints its environment, plain and encoded, passes or fails: neither that nor its argv is anywhere after."""
    ran: list[Sequence[str]] = []

    async def run(
        argv: Sequence[str], *, env: Mapping[str, str], heed: Any, scrubber: Scrubber, **_: Any
    ) -> CommandEnd:
        ran.append(argv)
        hearing = Hearing(heed, scrubber)
        for secret in (env["KEY"], json.dumps(dict(env)), base64.b64encode(env["KEY"].encode()).decode()):
            hearing.take(f"\x1b[31mKEY={secret}\n".encode())
        hearing.finish(cut=False)
        return CommandEnd(code, hearing.last_lines, False, 0, f"{argv[0]} exited with code {code}")

    monkeypatch.setattr(testing, "run_command", run)

    async def test(kit: Kit) -> None:
        first = of_secrets(V1) if of == "test" else with_command(of, V1)
        assert (await kit.deploy(first)).ending is Ending.DEPLOYED
        kit.said.clear()
        wanted = with_command(of, V2)
        recorder, events = Recorder(wanted.app, scrubber_of(wanted).scrub), list[Event]()
        api = Echo(kit.http, FAILURES["nothing"][0], 0)
        outcome, error, logged = await _run(kit, wanted, api, monkeypatch, recorder.hear, events.append)
        assert ran[-1] == ARGV
        assert outcome
        assert outcome.succeeded is (code == 0)
        _assert_hidden(kit, wanted, outcome, error, logged, api)
        assert any("KEY=[secret]" in line for line in kit.said)
        timeline = recorder.timeline()
        assert timeline
        assert found_in(timeline.model_dump_json(), *(event.text for event in events)) == []
        assert found_in(*(repr(event.outcome) + repr(event.awaited) for event in events)) == []

    simulate(test)


def test_a_planted_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the scrubber the same echo reaches people."""
    monkeypatch.setattr(Scrubber, "scrub", lambda self, text: text)
    monkeypatch.setattr("providers.fly.api.Api.redacted", lambda self, text: text)
    with pytest.raises(BaseExceptionGroup) as caught:
        test_no_secret_comes_out("create", monkeypatch)
    assert CANARY in every_word_of(caught.value)


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "botocore.endpoint", "urllib3.connectionpool"])
def test_what_is_logged_is_heard(name: str) -> None:
    """Negative control: a record of any library, at DEBUG, is among what is looked through."""
    with listening() as heard:
        logging.getLogger(name).debug("sent %s", SECRETS["token"])
    assert found_in(*heard)
