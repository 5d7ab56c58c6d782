"""From moments to places on the page. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Scale:
    """Straight lines between ``knots`` (epoch seconds, x), which are in order."""

    knots: tuple[tuple[float, float], ...]

    def x(self, at: float) -> float:
        """What is before the first knot or behind the last one is drawn there."""
        index = bisect_right([knot[0] for knot in self.knots], at)
        if index in (0, len(self.knots)):
            return self.knots[min(index, len(self.knots) - 1)][1]
        (t0, x0), (t1, x1) = self.knots[index - 1], self.knots[index]
        return x0 + (x1 - x0) * (at - t0) / (t1 - t0)


def by_parts(edges: Sequence[float], left: float, right: float, least: float) -> Scale:
    """Each part between two ``edges`` is as wide as it is long, but at least ``least``: a short one can be read.

    What the short ones are given, the long ones lack.
    """
    lengths = [max(b - a, 0.0) for a, b in pairwise(edges)]
    width, whole = right - left, sum(lengths) or 1.0
    least = min(least, width / max(len(lengths), 1))
    short = [length / whole * width < least for length in lengths]
    rest = width - least * sum(short)
    long = sum(length for length, is_short in zip(lengths, short, strict=True) if not is_short) or 1.0
    widths = [
        least if is_short else max(least, length / long * rest)
        for length, is_short in zip(lengths, short, strict=True)
    ]
    fit = width / (sum(widths) or 1.0)
    knots, x = [(edges[0], left)], left
    for edge, part in zip(edges[1:], widths, strict=True):
        x += part * fit
        knots.append((edge, x))
    return Scale(tuple(knots))


def ticks(length_s: float, most: int = 6) -> list[float]:
    """Round moments from 0 to ``length_s``, at most ``most`` and one."""
    for step in (m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)):
        if length_s / step <= most:
            return [index * step for index in range(int(length_s / step) + 1)]
    return [0.0]
