"""Progress of a long step: one live line on a terminal, a line every few seconds elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

_LIVE_SECONDS = 0.2
_LINE_SECONDS = 5.0
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Counts the parts of a step and shows the count, the time since the start, and what is being done."""

    def __init__(
        self,
        what: str,
        total: int = 0,
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._started = clock()
        self._shown = self._started
        self._count = 0

    def count(self, detail: str) -> None:
        """Count one more part, and show it when it is time."""
        self._count += 1
        self.look(detail)

    def look(self, detail: str = "") -> None:
        """Show where the step stands when it is time, also while nothing is counted."""
        now = self._clock()
        if now - self._shown >= (_LIVE_SECONDS if self._live else _LINE_SECONDS):
            self._shown = now
            self._write(f"{self._describe()} {detail}")

    def finish(self) -> None:
        """Say that the step is done, and how long it took."""
        self._write(f"{self._what}: done in {self._elapsed()}")
        if self._live:
            self._stream.write("\n")

    def _describe(self) -> str:
        counted = f": {self._count} of {self._total}" if self._total else ""
        return f"{self._what}{counted} ({self._elapsed()})"

    def _elapsed(self) -> str:
        minutes, seconds = divmod(round(self._clock() - self._started), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

    def _write(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns
        self._stream.write(f"{_CLEAR_LINE}{text[: columns - 1]}" if self._live else f"{text.rstrip()}\n")
        self._stream.flush()
