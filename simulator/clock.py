"""Time: the event loop's own clock decides all waits; this maps it to calendar time."""

import time
from datetime import UTC, datetime

import anyio


class Clock:
    """Epoch seconds that advance with the event loop's clock, so that a virtual loop clock makes them virtual."""

    def __init__(self, start: float | None = None) -> None:
        """`start` is the epoch second at the first reading; the system's time when None."""
        self._start = start
        self._offset: float | None = None

    def now(self) -> float:
        """Epoch seconds."""
        if self._offset is None:
            start = time.time() if self._start is None else self._start
            self._offset = start - anyio.current_time()
        return self._offset + anyio.current_time()


def format_time(epoch: float) -> str:
    """RFC 3339 in UTC with milliseconds, as in `created_at`."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
