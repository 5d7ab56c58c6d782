"""``/apps``."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from providers.fly.api import Api
from providers.fly.errors import Call, NotFound


@dataclass(frozen=True)
class Apps:
    """The apps that the token may see."""

    api: Api

    async def get(self, name: str) -> None:
        """Ask whether the app is there. Raises ``NotFound`` where the API says that there is none."""
        call = Call("app.get", "GET", f"/apps/{name}", safe_to_repeat=True)
        await self.api.send(call, name)

    async def create(self, name: str, org: str) -> None:
        """Raises ``Invalid`` (422) where the name is taken, also by ourselves a moment ago."""
        call = Call("app.create", "POST", "/apps", safe_to_repeat=False)
        await self.api.send(call, name, body={"name": name, "org_slug": org})

    async def delete(self, name: str, *, force: bool = False) -> None:
        """Delete the app, by force with all that is in it; one that is gone already is fine.

        Not to be repeated blindly: somebody else may have made the app anew, with machines, by then.
        """
        call = Call("app.delete", "DELETE", f"/apps/{name}", safe_to_repeat=False)
        with contextlib.suppress(NotFound):
            await self.api.send(call, name, params={"force": str(force).lower()})
