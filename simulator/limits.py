"""Fly's rate limits, as token buckets: per action, and per machine or, for calls without one, per app."""

from dataclasses import dataclass

import anyio

from simulator.errors import ApiError


@dataclass(frozen=True)
class Limit:
    """Tokens that come back each second, and how many a bucket holds."""

    per_second: float
    burst: int


EACH = Limit(1.0, 3)
LIMITS = {"get_machine": Limit(5.0, 10), "delete_app": Limit(100 / 60, 100)}
# App deletes are counted together, whatever the app.
SHARED = frozenset({"delete_app"})
# Not of the Machines API: Fly names no figure for it.
UNLIMITED = frozenset({"read_logs"})
FORGET_ABOVE = 10_000


class Limits:
    """All buckets of one platform; times are the event loop's."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def spend(self, action: str, identifier: str) -> None:
        """Take one token, or answer 429."""
        if action in UNLIMITED:
            return
        limit = LIMITS.get(action, EACH)
        key = (action, "" if action in SHARED else identifier)
        now = anyio.current_time()
        tokens = self._refill(key, limit, now)
        if tokens < 1 - 1e-9:
            raise ApiError(429, f"rate limit exceeded: {action} of '{identifier[:64]}'")
        self._buckets[key] = (tokens - 1, now)
        if len(self._buckets) > FORGET_ABOVE:
            self._forget_full(now)

    def _refill(self, key: tuple[str, str], limit: Limit, now: float) -> float:
        tokens, since = self._buckets.get(key, (float(limit.burst), now))
        return min(limit.burst, tokens + (now - since) * limit.per_second)

    def _forget_full(self, now: float) -> None:
        self._buckets = {key: held for key, held in self._buckets.items() if now - held[1] < 60}
