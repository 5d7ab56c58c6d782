"""``/apps/{app}/secrets``: values go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.fly.api import Api
from providers.fly.errors import Call


@dataclass(frozen=True)
class Secrets:
    """The secrets of one app."""

    api: Api
    app: str

    async def set(self, values: Mapping[str, str | None]) -> None:
        """Set the named secrets, ``None`` removes one; machines get them at their next start."""
        call = Call("secrets.set", "POST", f"/apps/{self.app}/secrets", safe_to_repeat=True)
        await self.api.send(call, self.app, body={"values": dict(values)})
