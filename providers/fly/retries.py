"""Which call may be sent again, and why: a table, applied by stamina (backoff with jitter)."""

from __future__ import annotations

from collections.abc import AsyncIterable

import stamina

from providers.fly.errors import (
    Ambiguous,
    BadAnswer,
    Call,
    FlyError,
    RateLimited,
    ServerError,
    Unreachable,
)

ATTEMPTS = 6
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

ALWAYS = "the call did not happen"
IF_SAFE = "the call may have happened, and doing it twice equals doing it once"

REASONS: dict[type[FlyError], str] = {
    Unreachable: ALWAYS,
    RateLimited: ALWAYS,
    ServerError: IF_SAFE,
    BadAnswer: IF_SAFE,
    Ambiguous: IF_SAFE,
}


def borne(error: type[FlyError]) -> AsyncIterable[stamina.Attempt]:
    """Attempts that bear an error for about three seconds: the API is eventually consistent."""
    return stamina.retry_context(on=error, attempts=5, wait_initial=0.2, timeout=None)


def may_repeat(call: Call, error: FlyError) -> bool:
    """Whether ``call``, which ended in ``error``, may be sent again as it is."""
    reason = REASONS.get(type(error))
    return reason == ALWAYS or (reason == IF_SAFE and (call.reads or call.safe_to_repeat))


def backoff(error: Exception) -> bool | float:
    """stamina's hook: whether to send again, or after how many seconds where the API named them."""
    if not isinstance(error, FlyError) or not may_repeat(error.call, error):
        return False
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT_S)
    return True
