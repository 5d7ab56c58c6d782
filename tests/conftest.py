"""Figures of what was tested: recorded by a fixture, added up at the end of a run. And rare garbage collections."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from _pytest.terminal import TerminalReporter

from tests.figures import Figures, add_up, table


def pytest_configure() -> None:
    """Thousands of short worlds: what pytest has loaded is seldom looked through for garbage again."""
    gc.set_threshold(50_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: one that began last would have a core to itself, and leave the others none to use."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Counts what this test has covered."""
    return Figures(record_property)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = (report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, ()))
    lines = table(add_up(pair for report in reports for pair in getattr(report, "user_properties", ())))
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)
