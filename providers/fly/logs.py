"""What a machine printed last, where Fly gives it.

Not part of the Machines API: it is the call behind ``fly logs``, on another host. Fly's documentation describes it, and
does not support it officially. So nothing may depend on it: whatever goes wrong, there are no lines.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import anyio
import httpx
from pydantic import BaseModel

from providers.bodies import read_body
from providers.fly.api import Api
from providers.gates.output import clean

DEFAULT_BASE_URL = "https://api.fly.io"
MACHINES_API_HOSTS = frozenset({"api.machines.dev", "_api.internal"})
WITHIN_S = 5.0
BODY_CAP_BYTES = 1024 * 1024
"""Fly answers with the last 100 entries."""
LINE_CAP = 500


class _Attributes(BaseModel):
    message: str = ""
    instance: str = ""


class _Entry(BaseModel):
    attributes: _Attributes


class _Document(BaseModel):
    data: tuple[_Entry, ...]


@dataclass(frozen=True)
class Logs:
    """The output of one app's machines."""

    api: Api
    app: str

    async def last_lines(self, machine_id: str, limit: int = 20) -> tuple[str, ...]:
        """The newest ``limit`` lines, oldest first, fit to be shown; none where they cannot be had within 5 s."""
        with (
            anyio.move_on_after(WITHIN_S),
            contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, ValueError),
        ):
            document = _Document.model_validate_json(await self._fetch(machine_id))
            return self._lines(document, machine_id)[-limit:]
        return ()

    async def _fetch(self, machine_id: str) -> bytes:
        url = f"{self._base_url()}/api/v1/apps/{self.app}/logs"
        async with self.api.http.stream("GET", url, params={"instance": machine_id}) as response:
            response.raise_for_status()
            return await read_body(response, BODY_CAP_BYTES)

    def _base_url(self) -> str:
        """flyctl's variable, else Fly's own. The token of an API that is not Fly's goes to no other host."""
        machines_api = httpx.URL(self.api.base_url)
        at_fly = machines_api.host in MACHINES_API_HOSTS
        default = DEFAULT_BASE_URL if at_fly else str(machines_api.copy_with(raw_path=b"/"))
        base_url = httpx.URL(os.environ.get("FLY_API_BASE_URL") or default)
        if base_url.scheme not in ("http", "https"):
            raise ValueError(f"{base_url} is not a URL with http:// or https://")
        return str(base_url).rstrip("/")

    def _lines(self, document: _Document, machine_id: str) -> tuple[str, ...]:
        """Fly's filter by machine has been unreliable, so it is applied again."""
        messages = (e.attributes.message for e in document.data if e.attributes.instance in ("", machine_id))
        lines = (line for message in messages for line in message.splitlines())
        return tuple(_cut(self.api.redacted(clean(line).rstrip())) for line in lines)


def _cut(line: str) -> str:
    """Between two words: half a secret would be recognized by nobody."""
    return line if len(line) <= LINE_CAP else f"{line[:LINE_CAP].rpartition(' ')[0]} …"
