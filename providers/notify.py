"""A webhook that is told each phase of a deployment and its end, signed.

Each message is a POST of JSON with three headers: ``Bluegreen-Delivery`` (an id, the same in every attempt),
``Bluegreen-Timestamp`` (epoch seconds), and ``Bluegreen-Signature``: ``v1=`` and the hex HMAC-SHA256, under the secret,
of the timestamp, a dot, and the body's bytes. A receiver compares in constant time and refuses what is old.

Nobody waits for it: a message is put into a bounded queue, and a task of its own sends it. At the end at most
``DRAIN_S`` are given to what is left. Whatever fails is one line, without the URL, which may hold a token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import stamina
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from providers.bluegreen import report
from providers.bluegreen.events import Event, Hear, Kind
from providers.bluegreen.spec import Notify
from providers.http import client

DRAIN_S = 2.0
MOST_WAITING = 64
ATTEMPTS = 3
TIMEOUTS = httpx.Timeout(5.0, connect=3.0)
_AGAIN = (408, 425, 429)


@asynccontextmanager
async def webhook(notify: Notify | None, app: str, say: Callable[[str], None]) -> AsyncIterator[Hear]:
    """A listener that sends. Never raises anything of its own: only what the block raises, as it was raised."""
    if notify is None:
        yield lambda event: None
        return
    send, receive = anyio.create_memory_object_stream[dict[str, Any]](MOST_WAITING)
    sender, error = _Sender(notify, say), None
    messages = _Messages(app)

    def hear(event: Event) -> None:
        message = messages.of(event)
        if message:
            sender.take(send, message)

    async with anyio.create_task_group() as group:
        done = anyio.Event()
        group.start_soon(sender.run, receive, done)
        try:
            yield hear
        except Exception as raised:  # noqa: BLE001 - a task group would wrap it; raised again below
            error = raised
        send.close()
        with anyio.move_on_after(DRAIN_S):
            await done.wait()
        group.cancel_scope.cancel()
    sender.complain()
    if error:
        raise error


@dataclass
class _Messages:
    """From events to messages. ``release``: green's, known from the first phase on."""

    app: str
    release: str = ""
    blue: str | None = None

    def of(self, event: Event) -> dict[str, Any] | None:
        """``None`` for what nobody is told."""
        if event.kind not in (Kind.PHASE, Kind.ENDED):
            return None
        if event.scene and not self.release:
            intent = event.scene.intent
            self.release, self.blue = str(intent.release), str(intent.blue) if intent.blue else None
        told = {"version": 1, "app": self.app, "release": self.release, "blue": self.blue, "at": event.at}
        if event.kind is Kind.PHASE:
            return {**told, "event": "phase", "phase": event.phase, "number": event.number, "of": event.of}
        return {**told, "event": "ended", **_ending(event)}


def _ending(event: Event) -> dict[str, Any]:
    outcome = event.outcome
    assert outcome is not None
    failure = outcome.failure
    return {
        "ending": outcome.ending,
        "succeeded": outcome.succeeded,
        "serving": report.serving_text(outcome),
        "window_s": outcome.window_s,
        "failure": failure and {"phase": failure.phase, "step": failure.step, "reasons": failure.reasons},
        "next_command": "" if outcome.succeeded and not outcome.pending else outcome.next_command,
    }


class _Unaccepted(Exception):
    """The receiver did not take it. ``again``: it may take it a moment later."""

    def __init__(self, reason: str, *, again: bool) -> None:
        self.again = again
        super().__init__(reason)


def _may_try_again(error: Exception) -> bool:
    return isinstance(error, _Unaccepted) and error.again


@dataclass
class _Sender:
    """Sends one message after the other. ``lost``: how many were not accepted, and why the last one was not."""

    notify: Notify
    say: Callable[[str], None]
    lost: int = 0
    reason: str = "not done in time"

    def take(self, queue: MemoryObjectSendStream[dict[str, Any]], message: dict[str, Any]) -> None:
        """Put it behind the others; where too many wait already, it is lost."""
        try:
            queue.send_nowait(message)
        except anyio.WouldBlock:
            self.lost += 1

    async def run(self, receive: MemoryObjectReceiveStream[dict[str, Any]], done: anyio.Event) -> None:
        """To the stream's end. The client is made with the first message: a preview has none."""
        http: httpx.AsyncClient | None = None
        try:
            async with receive:
                async for message in receive:
                    http = http or client(timeout=TIMEOUTS)
                    self.lost += 1  # until it is accepted: the task may be cancelled before
                    await self._deliver(http, message)
        finally:
            if http:
                with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                    await http.aclose()
            done.set()

    async def _deliver(self, http: httpx.AsyncClient, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        delivery = uuid.uuid4().hex
        try:
            async for attempt in stamina.retry_context(
                on=_may_try_again, attempts=ATTEMPTS, timeout=15, wait_initial=0.2, wait_max=2
            ):
                with attempt:
                    await self._post(http, body, delivery)
        except Exception as error:  # noqa: BLE001 - nothing of this may fail a deployment
            self.reason = str(error) if isinstance(error, _Unaccepted) else type(error).__name__
        else:
            self.lost -= 1

    async def _post(self, http: httpx.AsyncClient, body: bytes, delivery: str) -> None:
        headers = {
            "content-type": "application/json",
            "bluegreen-delivery": delivery,
            **signature(self.notify.secret.get_secret_value(), body, int(time.time())),
        }
        try:
            url = self.notify.url.get_secret_value()
            async with http.stream("POST", url, content=body, headers=headers) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Unaccepted(type(error).__name__, again=True) from None
        if not answer.is_success:
            raise _Unaccepted(f"it answered {status}", again=status >= 500 or status in _AGAIN)

    def complain(self) -> None:
        """One line for all that was not accepted."""
        if self.lost:
            self.say(f"notify: not every message was accepted by the webhook: {self.reason}")


def signature(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers that a receiver checks."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"bluegreen-timestamp": str(timestamp), "bluegreen-signature": f"v1={signed}"}
