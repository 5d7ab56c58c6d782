"""A terminal of a program's own: what it writes there, colours and moves of the cursor and all, can be read and shown.

`pulumi` shows people another display than pipes, and a provider tells them what it waits for only where its `pulumi`
was started in a terminal. It has one of its own here, in a session of its own, so that all of it can be ended together.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_LOGIN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
_CHUNK = 65536


def at_a_terminal(argv: Sequence[str]) -> list[str]:
    """`argv` as a program whose controlling terminal is its standard input; to be started in a new session."""
    return [sys.executable, "-I", "-S", "-c", _LOGIN, *argv]


@contextmanager
def open_terminal(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """The end that is read, which is closed with the block, and the program's end, which is closed by the caller."""
    reader, end = os.openpty()
    try:
        resize(reader, rows, columns)
        yield reader, end
    finally:
        os.close(reader)


def resize(reader: int, rows: int, columns: int) -> None:
    """Tell the program how large its terminal is, if that is not what it was told."""
    if termios.tcgetwinsize(reader) != (rows, columns):
        termios.tcsetwinsize(reader, (rows, columns))


def read(reader: int) -> bytes:
    """What was written; empty when the last program has left the terminal."""
    try:
        return os.read(reader, _CHUNK)
    except OSError:  # Linux answers EIO
        return b""
