"""The order in which several workers run the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.order import dealt


@dataclass(frozen=True)
class Stub:
    """A test, as far as its order goes."""

    nodeid: str
    long: bool = False
    kwargs: dict[str, Any] = field(default_factory=dict)

    def get_closest_marker(self, name: str) -> Stub | None:
        assert name == "long"
        return self if self.long else None


def order(tests: list[Stub], workers: int) -> str:
    return "".join(item.nodeid for item in dealt(cast("list[pytest.Item]", tests), workers))


def test_each_worker_begins_with_its_share_of_the_long_ones() -> None:
    """Nothing is left out, and the others keep their order."""
    tests = [*map(Stub, "abcdefg"), Stub("X", long=True), Stub("Y", long=True)]
    assert order(tests, 1) == "XYabcdefg"
    assert order(tests, 2) == "XabcYdefg"
    assert order(tests, 3) == "XabYcddefg".replace("dd", "d")


def test_those_that_share_a_fixture_stay_together() -> None:
    """It would be made once in each worker, else."""
    unit = {"unit": "worlds"}
    tests = [Stub("A", True, unit), Stub("B", True, unit), Stub("C", True), *map(Stub, "de")]
    assert order(tests, 2) == "ABCde"
    assert order(tests[:1], 3) == "A"
