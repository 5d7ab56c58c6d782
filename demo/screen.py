"""What a person reads while the demo runs: lines, and on a terminal one live line below them."""

from __future__ import annotations

import os
import shutil
import sys
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from providers.ci import in_ci

_CLEAR = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"
_BOLD, _DIM, _GREEN, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
_LINE_SECONDS = 5.0


class Pane:
    """A terminal that somebody else draws on: a program's own output, as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def size(self) -> tuple[int, int]:
        """Rows and columns, as they are now: the terminal's own, whatever COLUMNS says."""
        return termios.tcgetwinsize(self._stream.fileno())

    def write(self, drawn: bytes) -> None:
        """Show a piece of it, however it was cut."""
        self._stream.write(self._decoder.decode(drawn))
        self._stream.flush()


class Screen:
    """Lines as they come; `live` rewrites the last line on a terminal, and elsewhere adds one every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ
        self._status = ""
        self._due = 0.0
        self._lent = False

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
        if self._lent:
            return
        now = time.monotonic()
        if self._terminal:
            self._status = text[: shutil.get_terminal_size().columns - 1]
            self._write("")
        elif text and now >= self._due:
            self._due = now + _LINE_SECONDS
            self._write(f"{text}\n")

    @contextmanager
    def lent(self) -> Iterator[Pane | None]:
        """The whole terminal for another program's display, with no live line below it; elsewhere ``None``.

        In CI there may be a terminal, and nobody watches it: there `pulumi` draws nothing either.
        """
        if not self._terminal or in_ci():
            yield None
            return
        self.live("")
        self._lent = True
        try:
            yield Pane(self._stream)
        finally:
            self._lent = False
            self._stream.write(f"{_CLEAR}{_SHOW_CURSOR}")  # the program may have been killed in the middle
            self._stream.flush()

    def _write(self, text: str) -> None:
        cleared = _CLEAR if self._terminal else ""
        self._stream.write(f"{cleared}{text}{self._status}")
        self._stream.flush()

    def _paint(self, codes: str, text: str) -> str:
        return f"{codes}{text}{_PLAIN}" if self._colours else text
