"""Figures that tests record and the end of a run shows: added up by name, over all tests and all of their workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

PREFIX = "figure: "
"""Before the name of a figure among a test's other properties."""


@dataclass(frozen=True)
class Figures:
    """What one test counts. ``record`` is pytest's ``record_property``, which works from workers too."""

    record: Callable[[str, object], None]

    def add(self, **counts: int) -> None:
        """``calls=25``, ``mutants_killed=3``: underscores are shown as spaces."""
        for name, count in counts.items():
            self.record(f"{PREFIX}{name.replace('_', ' ')}", count)


def add_up(properties: Iterable[tuple[str, object]]) -> dict[str, int]:
    """The sums by name, in the order in which the names came."""
    sums: Counter[str] = Counter()
    for name, count in properties:
        if name.startswith(PREFIX) and isinstance(count, int):
            sums[name.removeprefix(PREFIX)] += count
    return dict(sums)


def table(sums: Mapping[str, int]) -> list[str]:
    """One line for each figure; none where nothing was recorded."""
    width = max((len(name) for name in sums), default=0)
    return [f"{name:{width}}  {count:>9,}" for name, count in sorted(sums.items())]
