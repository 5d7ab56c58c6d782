"""``/apps/{app}/machines``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from providers.fly.api import Api
from providers.fly.errors import Ambiguous, Call, NotFound, NotReached
from providers.fly.reading import reader
from providers.fly.retries import borne
from providers.fly.types import ExecAnswer, Machine

LONGEST_WAIT_S = 60
"""The API refuses a longer ``timeout`` with a 400."""
_MACHINE = TypeAdapter(Machine)
_MACHINES = TypeAdapter(list[Machine])
T = TypeVar("T")


@dataclass(frozen=True)
class Machines:
    """The machines of one app. ``safe_to_repeat`` is stated at every call: it decides what may be retried."""

    api: Api
    app: str

    def _call(self, action: str, method: str, path: str, *, safe_to_repeat: bool) -> Call:
        return Call(f"machine.{action}", method, f"/apps/{self.app}/machines{path}", safe_to_repeat)

    async def list(self, *, leases: bool = False) -> list[Machine]:
        """All machines of the app that exist; with ``leases`` each says who holds it."""
        call = self._call("list", "GET", "", safe_to_repeat=True)
        found: list[Machine] = await self.api.send(
            call,
            self.app,
            params={"include_leases": "true"} if leases else {},
            parse=reader(call, _MACHINES),
        )
        return found

    async def get(self, machine_id: str) -> Machine:
        call = self._call("get", "GET", f"/{machine_id}", safe_to_repeat=True)
        found: Machine = await self.api.send(call, machine_id, parse=reader(call, _MACHINE))
        return found

    async def create(
        self,
        *,
        name: str,
        region: str,
        config: dict[str, Any],
        skip_service_registration: bool,
        lease_s: float | None = None,
    ) -> Machine:
        """Create and start a machine, leased for ``lease_s`` seconds where that is asked: the answer has the ``nonce``.

        Names are unique in an app: a second create answers ``Conflict``.
        """
        call = self._call("create", "POST", "", safe_to_repeat=False)
        body: dict[str, Any] = {
            "name": name,
            "region": region,
            "config": config,
            "skip_service_registration": skip_service_registration,
        }
        if lease_s is not None:
            body["lease_ttl"] = math.ceil(lease_s)
        answer = await self.api.send(call, self.app, body=body)
        try:
            return Machine.model_validate(answer)
        except ValidationError:
            raise Ambiguous(call, "the answer is not a machine") from None

    async def start(self, machine_id: str) -> None:
        await self._post("start", machine_id)

    async def stop(self, machine_id: str) -> None:
        """Stop by the machine's own policy: ``"0s"`` stands for its ``stop_config`` (flyctl always sends it)."""
        await self._post("stop", machine_id, {"timeout": "0s"})

    async def cordon(self, machine_id: str) -> None:
        await self._post("cordon", machine_id)

    async def uncordon(self, machine_id: str) -> None:
        await self._post("uncordon", machine_id)

    async def set_metadata(self, machine_id: str, key: str, value: str) -> None:
        call = self._call("metadata", "POST", f"/{machine_id}/metadata/{key}", safe_to_repeat=True)
        await self.api.send(call, machine_id, body={"value": value})

    async def delete_metadata(self, machine_id: str, key: str) -> None:
        """Remove one key; one that is not there is fine."""
        call = self._call("metadata", "DELETE", f"/{machine_id}/metadata/{key}", safe_to_repeat=True)
        with contextlib.suppress(NotFound):
            await self.api.send(call, machine_id)

    async def signal(self, machine_id: str, name: str) -> None:
        """Deliver a signal, with no kill behind it. Not safe to repeat: to many programs a second SIGTERM means "now".

        Raises ``Ambiguous`` where it may have been delivered: only the caller knows what a second one would do.
        """
        call = self._call("signal", "POST", f"/{machine_id}/signal", safe_to_repeat=False)
        await self.api.send(call, machine_id, body={"signal": name})

    async def exec(self, machine_id: str, argv: Sequence[str], timeout_s: float) -> ExecAnswer:
        """Run a command inside a started machine. It may have run, or still run, where this raises ``Ambiguous``.

        Fly ends it after ``timeout_s`` (408, ``Ambiguous``) and refuses it while a lease is held (``Conflict``).
        """
        call = self._call("exec", "POST", f"/{machine_id}/exec", safe_to_repeat=False)
        body = {"command": [*argv], "timeout": math.ceil(timeout_s)}
        answer = await self.api.send(call, machine_id, body=body, long_poll_s=math.ceil(timeout_s))
        try:
            return ExecAnswer.model_validate(answer)
        except ValidationError:
            raise Ambiguous(call, "the answer does not say how the command ended") from None

    async def destroy(self, machine_id: str) -> None:
        """Destroy the machine, running or not; one that is gone already is fine."""
        call = self._call("delete", "DELETE", f"/{machine_id}", safe_to_repeat=True)
        with contextlib.suppress(NotFound):
            await self.api.send(call, machine_id, params={"force": "true"})

    async def wait(self, machine_id: str, states: Sequence[str], *, instance_id: str = "") -> None:
        """Long-poll until the machine is in one of ``states``, without end: the caller holds the deadline.

        404 is borne for a while: the API is eventually consistent, and answers it to a machine just created.
        """
        while not await self._wait_once(machine_id, states, instance_id):
            pass

    async def _wait_once(self, machine_id: str, states: Sequence[str], instance_id: str) -> bool:
        call = self._call("wait", "GET", f"/{machine_id}/wait", safe_to_repeat=True)
        params = {"state": ",".join(states), "timeout": str(LONGEST_WAIT_S)}
        if instance_id:
            params["version"] = instance_id
        async for attempt in borne(NotFound):
            with attempt:
                try:
                    await self.api.send(call, machine_id, params=params, long_poll_s=LONGEST_WAIT_S)
                except NotReached:
                    return False
        return True

    async def _post(self, action: str, machine_id: str, body: dict[str, Any] | None = None) -> None:
        call = self._call(action, "POST", f"/{machine_id}/{action}", safe_to_repeat=True)
        await self.api.send(call, machine_id, body=body)
