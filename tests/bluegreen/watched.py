"""What a test kit adds to the simulator's history, for the checker of the promises that listens to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from simulator.clock import Clock
from simulator.history import History, Record
from tests.bluegreen.promises import Promises


class WatchedHistory(History):
    """A history of which every record is checked as it is written, while the store is as it is at that moment."""

    def __init__(self, clock: Clock, promises: Promises) -> None:
        super().__init__(clock)
        self._promises = promises

    def add(self, kind: str, **fields: Any) -> Record:
        record = super().add(kind, **fields)
        self._promises.read(record)
        return record

    def tell_app(self, machine_id: str, state: str) -> None:
        """The state of a machine's app has changed."""
        self.add("app", machine_id=machine_id, state=state)


def commit_of(history: History) -> Callable[[str, bytes], None]:
    """Tells of each owner's record that is put into the store."""

    def tell(key: str, content: bytes) -> None:
        if "owners/" in key:
            history.add("commit", key=key, release=json.loads(content)["release"])

    return tell


SECRETS = "/secrets"
"""The one call whose body has to carry secrets."""


@dataclass
class WatchedTransport(httpx.AsyncBaseTransport):
    """Tells what a deployer sends: paths and bodies, but the values that it sets secrets to."""

    inner: httpx.AsyncBaseTransport
    history: History

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = (await request.aread()).decode("utf-8", "replace")
        if body and not request.url.path.endswith(SECRETS):
            self.history.add("sent", method=request.method, path=request.url.path, body=body)
        return await self.inner.handle_async_request(request)
