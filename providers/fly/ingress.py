"""``/apps/{app}/ip_assignments`` and ``/apps/{app}/certificates``: what leads users to an app."""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, IPvAnyAddress, TypeAdapter

from providers.fly.api import Api
from providers.fly.errors import Ambiguous, BadAnswer, Call, NotFound
from providers.fly.reading import reader

_PRIVATE = ipaddress.ip_network("fc00::/7")
"""Of Fly's private network (Flycast): none that users reach."""


class Assignment(BaseModel):
    """One address; ``shared`` with other apps, which Fly's edge tells apart by the name in TLS."""

    ip: IPvAnyAddress
    shared: bool | None = None

    @property
    def kind(self) -> str:
        """As ``assign`` takes it: ``shared_v4``, ``v4``, ``v6``; ``private_v6`` for a private one."""
        if self.shared:
            return "shared_v4"
        if self.ip.version == 4:
            return "v4"
        return "private_v6" if self.ip in _PRIVATE else "v6"


class _Assignments(BaseModel):
    ips: list[Assignment] | None = None


class Certificate(BaseModel):
    """How far a hostname has come. ``dns_requirements``: the records to set, as Fly describes them."""

    status: str = ""
    dns_requirements: dict[str, Any] | None = None


@dataclass(frozen=True)
class IpAssignments:
    """The public addresses of one app."""

    api: Api
    app: str

    async def list(self) -> dict[str, str]:
        """Address → its kind. Raises ``NotFound`` where there is no app."""
        call = Call("ips.list", "GET", f"/apps/{self.app}/ip_assignments", safe_to_repeat=True)
        found = await self.api.send(call, self.app, parse=reader(call, TypeAdapter(_Assignments)))
        return {str(one.ip): one.kind for one in found.ips or ()}

    async def assign(self, kind: str) -> str:
        """A new address. Not repeated when its answer is lost: a second ``v4`` would be billed."""
        call = Call("ips.assign", "POST", f"/apps/{self.app}/ip_assignments", safe_to_repeat=False)
        try:
            answer = await self.api.send(
                call, self.app, body={"type": kind}, parse=reader(call, TypeAdapter(Assignment))
            )
        except BadAnswer as error:
            raise Ambiguous(call, error.reason) from None
        return str(answer.ip)

    async def release(self, ip: str) -> None:
        """Give an address back; one that is gone already is fine."""
        call = Call(
            "ips.release", "DELETE", f"/apps/{self.app}/ip_assignments/{quote(ip)}", safe_to_repeat=True
        )
        with contextlib.suppress(NotFound):
            await self.api.send(call, self.app)


@dataclass(frozen=True)
class Certificates:
    """The certificates of one app, by hostname."""

    api: Api
    app: str

    async def get(self, hostname: str) -> Certificate:
        """How far it has come. Raises ``NotFound`` where none was requested."""
        call = Call("certificates.get", "GET", self._path(hostname), safe_to_repeat=True)
        found: Certificate = await self.api.send(call, self.app, parse=reader(call, TypeAdapter(Certificate)))
        return found

    async def request(self, hostname: str) -> None:
        """Have Fly request one from its certificate authority."""
        call = Call(
            "certificates.request", "POST", f"/apps/{self.app}/certificates/acme", safe_to_repeat=True
        )
        await self.api.send(call, self.app, body={"hostname": hostname})

    async def delete(self, hostname: str) -> None:
        """Delete the hostname with all its certificates; one that is gone already is fine."""
        call = Call("certificates.delete", "DELETE", self._path(hostname), safe_to_repeat=True)
        with contextlib.suppress(NotFound):
            await self.api.send(call, self.app)

    def _path(self, hostname: str) -> str:
        return f"/apps/{self.app}/certificates/{quote(hostname, safe='')}"
