"""Asking until something holds. Apart from ``actions``, so that the gates and tunnels that those use can ask too."""

from __future__ import annotations

from collections.abc import AsyncIterable

import stamina

from providers.bluegreen.failures import NotYet

POLL_FIRST_S = 0.05
POLL_LONGEST_S = 1.0


def polling(attempts: int | None = None, first_s: float = POLL_FIRST_S) -> AsyncIterable[stamina.Attempt]:
    """Ask again and again; without ``attempts`` the phase's deadline is the end."""
    return stamina.retry_context(
        on=NotYet,
        attempts=attempts,
        timeout=None,
        wait_initial=first_s,
        wait_max=POLL_LONGEST_S,
        wait_jitter=0.05,
    )
