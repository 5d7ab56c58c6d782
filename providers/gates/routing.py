"""The proof that users reach the new cluster: asked from outside, on fresh connections, in every region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import Answer
from providers.bluegreen.spec import RoutingProbe
from providers.bodies import AS_IT_IS, BodyRefused, read_body
from providers.http import client

TIMEOUT_S = 10.0
BODY_CAP_BYTES = 1024 * 1024
"""What names a machine is short."""


class Prober(Protocol):
    """A way to ask from outside."""

    async def ask(self, region: str, machine_id: str = "") -> Answer:
        """Who answers users in ``region``, or there as this machine. Raises ``NotYet`` where no app answered."""
        ...


def outside() -> httpx.AsyncClient:
    """A client without kept connections: an open one would go on reaching whom it reached before."""
    return client(timeout=TIMEOUT_S, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class HttpProber:
    """Asks the app's public URL. ``fly-prefer-region`` takes the question to the region it is about."""

    http: httpx.AsyncClient
    url: str
    probe: RoutingProbe

    async def ask(self, region: str, machine_id: str = "") -> Answer:
        status, body = await self._get(region, machine_id)
        return Answer(region, self._machine_id(status, body))

    async def report(self, region: str, machine_id: str) -> Mapping[str, Any]:
        """All that this machine answers, an object of JSON. Raises ``NotYet`` where it does not, or another one did."""
        status, body = await self._get(region, machine_id)
        if self._machine_id(status, body) != machine_id:
            raise NotYet(f"machine {machine_id} did not answer")
        told: Mapping[str, Any] = json.loads(body)
        return told

    async def _get(self, region: str, machine_id: str) -> tuple[int, bytes]:
        headers = {"fly-prefer-region": region, "connection": "close", **AS_IT_IS}
        if machine_id:
            headers["fly-force-instance-id"] = machine_id
        try:
            async with self.http.stream("GET", self.url + self.probe.path, headers=headers) as response:
                body = await read_body(response, BODY_CAP_BYTES)
        except (httpx.HTTPError, BodyRefused) as error:
            told = str(error) if isinstance(error, BodyRefused) else type(error).__name__
            raise NotYet(f"{self.url} does not answer ({told})") from None
        if not response.is_success:
            raise NotYet(f"{self.url}{self.probe.path} answers {response.status_code}")
        return response.status_code, body

    def _machine_id(self, status: int, body: bytes) -> str:
        key = self.probe.machine_key
        if key is None:
            return ""
        try:
            return str(json.loads(body)[key])
        except (ValueError, KeyError, TypeError):
            raise NotYet(
                f'{self.probe.path} answers {status} without a "{key}" that names its machine'
            ) from None
