"""Fly's rate limits, kept by the client itself, so that 429 is the exception (FLY-API: per action and identifier)."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio


@dataclass(frozen=True)
class Limit:
    """``rate`` calls a second after a burst of ``burst``."""

    rate: float
    burst: int


DEFAULT = Limit(rate=1, burst=3)
BY_ACTION = {"machine.get": Limit(rate=5, burst=10)}


@dataclass
class _Bucket:
    """Next free slot of one (action, identifier), by the schedule of a leaky bucket (GCRA)."""

    limit: Limit
    due: float = 0.0

    def book(self, now: float) -> float:
        """Take the next slot; answers how many seconds to wait for it."""
        interval = 1 / self.limit.rate
        self.due = max(self.due, now) + interval
        return max(0.0, self.due - now - self.limit.burst * interval)


@dataclass
class Limiter:
    """Waits until a call may be sent. Order of arrival is order of sending."""

    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    async def wait(self, action: str, identifier: str) -> None:
        key = (action, identifier)
        bucket = self._buckets.setdefault(key, _Bucket(BY_ACTION.get(action, DEFAULT)))
        slot = anyio.current_time() + bucket.book(anyio.current_time())
        await anyio.sleep_until(slot)
