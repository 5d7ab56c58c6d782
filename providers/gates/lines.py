"""What a program says, as lines: put together, cut, counted, and told to whoever heeds them."""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from providers.gates.output import LONGEST_RAW, Scrubber

LONGEST_LINE = 1_000
MOST_LINES = 500
MOST_LAST_LINES = 20


class Line(NamedTuple):
    """A line as it came. ``cut``: it went on."""

    text: str
    cut: bool


class Lines:
    """Lines out of chunks of bytes, wherever those were cut; what is not UTF-8 in them is replaced."""

    def __init__(self) -> None:
        utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._begun = ""
        self._skipping = False

    def of(self, chunk: bytes) -> Iterator[Line]:
        """The lines that ``chunk`` ends, or makes too long."""
        *ended, begun = self._decoder.decode(chunk).split("\n")
        for text in ended:
            yield from self._add(text)
            yield from self._end(cut=False)
        yield from self._add(begun)

    def rest(self, *, cut: bool) -> Iterator[Line]:
        """The last line, which no newline ended."""
        yield from self._add(self._decoder.decode(b"", final=True))
        yield from self._end(cut=cut)

    def _add(self, text: str) -> Iterator[Line]:
        if self._skipping:
            return
        self._begun += text[: LONGEST_RAW - len(self._begun)]
        if len(self._begun) == LONGEST_RAW:
            yield from self._end(cut=True)
            self._skipping = True

    def _end(self, *, cut: bool) -> Iterator[Line]:
        if not self._skipping:
            yield Line(self._begun, cut)
        self._begun, self._skipping = "", False


class Hearing:
    """Tells ``heed`` the first lines, each fit to be shown, and keeps the last ones; those in between are counted."""

    def __init__(self, heed: Callable[[str], None], scrubber: Scrubber) -> None:
        self._heed = heed
        self._scrubber = scrubber
        self._lines = Lines()
        self._last: deque[Line] = deque(maxlen=MOST_LAST_LINES)
        self._told = 0
        self.left_out = 0

    def take(self, chunk: bytes) -> None:
        self._take(self._lines.of(chunk))

    def finish(self, *, cut: bool) -> None:
        """``cut``: the program was killed, so its last line may end anywhere."""
        self._take(self._lines.rest(cut=cut))
        if self.left_out:
            self._heed(f"… {self.left_out:,} more lines")

    @property
    def last_lines(self) -> tuple[str, ...]:
        return tuple(filter(None, map(self._shown, self._last)))

    def _take(self, lines: Iterator[Line]) -> None:
        for line in lines:
            if not line.text or line.text.isspace():
                continue
            self._last.append(line)
            if self._told == MOST_LINES:
                self.left_out += 1
            else:
                self._told += 1
                self._heed(self._shown(line))

    def _shown(self, line: Line) -> str:
        return self._scrubber.excerpt(line.text, LONGEST_LINE, cut=line.cut)


def last_lines(said: bytes, scrubber: Scrubber) -> tuple[str, ...]:
    """The last lines of something that was said, which may go on in the middle of one."""
    hearing = Hearing(lambda line: None, scrubber)
    hearing.take(said)
    hearing.finish(cut=True)
    return hearing.last_lines
