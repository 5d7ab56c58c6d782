"""What a person reads while the demo runs: lines, and on a terminal one live line below them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[K"
_BOLD, _DIM, _GREEN, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
_LINE_SECONDS = 5.0


class Screen:
    """Lines as they come; `live` rewrites the last line on a terminal, and elsewhere adds one every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ
        self._status = ""
        self._due = 0.0

    def line(self, text: str = "") -> None:
        """One line."""
        self._write(f"{text}\n")

    def heading(self, text: str) -> None:
        """A line that starts a part of the story."""
        self.line("\n" + self._paint(_BOLD, text))

    def detail(self, text: str) -> None:
        """A line that somebody else said."""
        self.line(self._paint(_DIM, f"  {text}"))

    def verdict(self, text: str, *, good: bool) -> None:
        """The line that it was all for."""
        self.line(self._paint(_BOLD + (_GREEN if good else _RED), text))

    def live(self, text: str) -> None:
        """Where a long step stands; an empty text takes the line away."""
        now = time.monotonic()
        if self._terminal:
            self._status = text[: shutil.get_terminal_size().columns - 1]
            self._write("")
        elif text and now >= self._due:
            self._due = now + _LINE_SECONDS
            self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        cleared = _CLEAR if self._terminal else ""
        self._stream.write(f"{cleared}{text}{self._status}")
        self._stream.flush()

    def _paint(self, codes: str, text: str) -> str:
        return f"{codes}{text}{_PLAIN}" if self._colours else text
