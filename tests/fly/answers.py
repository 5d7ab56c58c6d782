"""A Machines API that answers what a test wants, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from providers.fly import Machines, connect
from tests.virtual_time import run

MACHINE = {"id": "148e21ea7d5e38", "state": "started", "name": "rooms-g1-ams-1"}


class Answers:
    """A server in process: answers in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers) -> None:
        self.answers: list[Any] = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer


def ok(body=MACHINE) -> httpx.Response:
    return httpx.Response(200, json=body, headers={"fly-request-id": "01REQ"})


def refused(status: int, text: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": text}, headers={"fly-request-id": "01REQ", **headers})


def ask(answers: Answers | Callable[[httpx.Request], httpx.Response], question):
    """Run ``question(machines)`` against the answers in virtual time."""

    async def main():
        async with connect("token", "http://fly.test", transport=httpx.MockTransport(answers)) as api:
            return await question(Machines(api, "rooms"))

    return run(main)
