"""The webhook: real requests over loopback, checked as a receiver checks them; it never fails a deploy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from pydantic import ValidationError

from examples.webhook.receiver import accept
from providers import notify
from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.events import Event, Kind
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending, Failure, Outcome
from providers.bluegreen.spec import Notify
from providers.notify import webhook

SECRET = "a secret of sixteen and more"
PHASES = tuple(
    Event(Kind.PHASE, 10.0 + at, phase=phase, number=at, of=2)
    for at, phase in enumerate((Phase.CREATE_NEW, Phase.VERIFY), start=1)
)
FAILURE = Failure(Phase.VERIFY, "test", ("it does not answer",))
ENDED = Event(
    Kind.ENDED, 13.0, outcome=Outcome(Ending.ABORTED, None, failure=FAILURE, next_command="pulumi up")
)


@dataclass
class Receiver:
    """Answers with ``statuses`` in turn, the last one for ever; hangs behind ``patience`` messages until ``open`` is
    set.
    """

    statuses: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    patience: int = 0
    open: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def receiving(*statuses: int, hangs: bool = False, patience: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses) or [200], patience=patience)
    if not hangs:
        receiver.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            status = receiver.statuses[0] if len(receiver.statuses) == 1 else receiver.statuses.pop(0)
            if len(receiver.got) > receiver.patience:
                receiver.open.wait(30)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked has gone
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook?token=part-of-the-url"
        try:
            yield receiver
        finally:
            receiver.open.set()
            server.shutdown()
            thread.join()


def tell(url: str, *events: Event, error: Exception | None = None) -> list[str]:
    """A deployment that tells these events, and then ends. What people were told of the webhook."""
    said: list[str] = []

    async def deployment() -> None:
        async with webhook(Notify(url=url, secret=SECRET), "rooms", said.append) as hear:
            for event in events:
                hear(event)
            if error:
                raise error

    anyio.run(deployment)
    return said


def test_each_phase_and_the_end_arrive_signed() -> None:
    """In order; steps and lines are told to nobody. The signature is of the body and the moment."""
    with receiving() as receiver:
        assert tell(receiver.url, *PHASES, Event(Kind.NOTE, 1.0, "a line"), ENDED) == []
    messages = [accept(headers, body, SECRET) for headers, body in receiver.got]
    assert [message["event"] for message in messages] == ["phase", "phase", "ended"]
    assert [message.get("phase") for message in messages] == ["create-new", "verify", None]
    assert messages[-1]["ending"] == "aborted"
    assert messages[-1]["failure"]["reasons"] == ["it does not answer"]
    assert len({headers["bluegreen-delivery"] for headers, _ in receiver.got}) == 3


@pytest.mark.parametrize("forged", ["secret", "body", "time"])
def test_a_forged_message_is_refused(forged) -> None:
    """The receiver's check is one: another secret, another body or an old moment does not pass."""
    with receiving() as receiver:
        tell(receiver.url, PHASES[0])
    headers, body = receiver.got[0]
    if forged == "time":
        headers |= notify.signature(SECRET, body, int(time.time()) - 1000)
    with pytest.raises(ValueError, match=r"not signed|older"):
        accept(headers, body + b" " * (forged == "body"), "another secret" if forged == "secret" else SECRET)


def test_a_receiver_that_is_ill_for_a_moment_is_asked_again() -> None:
    """With the same delivery's id, so that it can tell a repetition."""
    with receiving(503, 200) as receiver:
        assert tell(receiver.url, PHASES[0]) == []
    assert len(receiver.got) == 2
    assert len({headers["bluegreen-delivery"] for headers, _ in receiver.got}) == 1


def test_a_receiver_that_refuses_is_one_line_without_the_url() -> None:
    """However many messages it refuses; a refusal is not repeated."""
    with receiving(403) as receiver:
        (line,) = tell(receiver.url, *PHASES, ENDED)
    assert "it answered 403" in line
    assert "part-of-the-url" not in line
    assert "127.0.0.1" not in line
    assert len(receiver.got) == 3


def test_nobody_there_is_one_line() -> None:
    with receiving() as receiver:
        pass
    (line,) = tell(receiver.url, PHASES[0])
    assert "not every message was accepted" in line
    assert "part-of-the-url" not in line


def test_a_receiver_that_hangs_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling an event never waits; at the end the time for what is left is bounded, and the rest is given up."""
    monkeypatch.setattr(notify, "DRAIN_S", 0.05)
    with receiving(hangs=True) as receiver:
        (line,) = tell(receiver.url, *(PHASES * 100), ENDED)
        assert not receiver.open.is_set()
    assert "not every message was accepted" in line


def test_what_ends_a_deployment_is_raised_as_it_was() -> None:
    """Not in a group of errors, which nobody would look into; and what was told before is sent."""
    with receiving() as receiver, pytest.raises(CannotLook, match="nothing was decided"):
        tell(receiver.url, PHASES[0], error=CannotLook("nothing was decided"))
    assert len(receiver.got) == 1


def test_a_wrong_configuration_is_refused_without_showing_it() -> None:
    """The URL may hold a token, and the secret is one."""
    for wrong in (
        {"url": "ftp://canary.example", "secret": SECRET},
        {"url": "http://a.example", "secret": "canary"},
    ):
        with pytest.raises(ValidationError) as refused:
            Notify.model_validate(wrong)
        assert "canary" not in str(refused.value)
    assert "canary" not in repr(Notify(url="http://canary.example", secret=f"canary {SECRET}"))
