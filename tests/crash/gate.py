"""What the deployer's calls pass on their way: counts them, and acts exactly at one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

When = Literal["before", "after"]
"""Before the call is passed on, so that it never happens; or after it was applied, and before its answer is sent."""
Act = Callable[[], Awaitable[bool]]
"""What happens at the call: whether the deployer is still there, to get its answer."""


@dataclass
class Gate:
    """Every call goes through it, and at the ``chosen`` one ``act`` happens.

    ``calls``: those that have come since the last ``arm``; ``open``: how many have no answer yet. ``on_call`` hears of
    each of them.
    """

    on_call: Callable[[str], Awaitable[None]]
    chosen: Callable[[list[str]], bool] = lambda calls: False
    act: Act | None = None
    when: When = "before"
    calls: list[str] = field(default_factory=list)
    open: int = 0

    def arm(self, chosen: Callable[[list[str]], bool], act: Act, when: When) -> None:
        """Count anew; act at the first call with which the list of calls is the one that was ``chosen``."""
        self.chosen, self.act, self.when, self.calls = chosen, act, when, []

    def disarm(self) -> None:
        """Count anew, and only count."""
        self.act, self.calls = None, []

    def guard(self, app: ASGIApp) -> ASGIApp:
        """``app``, reached through this gate."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            self.calls.append(f"{scope['method']} {scope['path']}")
            act = self.act if self.act and self.chosen(self.calls) else None
            await self.on_call(self.calls[-1])
            self.open += 1
            try:
                if act is None:
                    await app(scope, receive, send)
                else:
                    self.act = None
                    await self._act_around(act, app, (scope, receive, send))
            finally:
                self.open -= 1

        return guarded

    async def _act_around(self, act: Act, app: ASGIApp, call: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = call
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if self.when == "after":
            await app(scope, receive, keep)
        if not await act():
            return
        if self.when == "before":
            await app(scope, receive, send)
        for message in answer:
            await send(message)

    def changes(self) -> list[str]:
        """The calls that may have changed something."""
        return [call for call in self.calls if not call.startswith(("GET", "HEAD"))]
