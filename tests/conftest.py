"""Figures of what was tested: recorded by a fixture, added up at a run's end. Rare garbage collections. A shared S3."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
from _pytest.terminal import TerminalReporter

from demo.local.platform import local_s3
from tests.figures import Figures, add_up, table
from tests.order import dealt


def pytest_configure() -> None:
    """Thousands of short worlds: what pytest has loaded is seldom looked through for garbage again."""
    gc.set_threshold(50_000, 20, 100)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones are begun before the others, by all workers."""
    items[:] = dealt(items, getattr(config, "workerinput", {"workercount": 1})["workercount"])


@pytest.fixture(scope="session")
def local_s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's server, a process of its own, for a worker's tests of the engine and of crashes: each has its own prefix.

    What machines save in them is small, and takes no time.
    """
    with local_s3(tmp_path_factory.mktemp("s3"), uplink=10_000_000) as reach:
        yield reach()


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
