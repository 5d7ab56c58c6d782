"""The order of a run with several workers: the long tests first, dealt out to all of them.

pytest-xdist hands each worker a part of the list, one after another in it, and whoever is done takes from the end of
somebody else's. So each part begins with its share of what takes long; a long test that began last would have the
machine to itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

MARK = "long"


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests that are marked as ``long`` at the head of each worker's part; those of one ``unit`` stay together."""
    units: dict[str, list[pytest.Item]] = {}
    for item in items:
        if marker := item.get_closest_marker(MARK):
            units.setdefault(marker.kwargs.get("unit", item.nodeid), []).append(item)
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, unit in enumerate(units.values()):
        hands[number % workers] += unit
    others = [item for item in items if not item.get_closest_marker(MARK)]
    found: list[pytest.Item] = []
    for number, hand in enumerate(hands, start=1):
        found += hand
        room = len(items) * number // workers - len(found)
        found += others[: max(0, room)]
        del others[: max(0, room)]
    return found
