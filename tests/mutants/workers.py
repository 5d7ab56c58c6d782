"""Runs tests in processes of their own, each with one module patched: ``python -m tests.mutants.workers < JOBS``.

Importing pytest, httpx and boto3 takes longer than most of the tests, so one process imports them, and a fork of it
runs each job; nothing that a bug is planted in is imported before the fork. Reads a list of jobs, writes one line of
JSON for each.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from io import StringIO
from types import ModuleType
from typing import Any

import pytest

AT_ONCE = 2
LONGEST_S = 300
PR_SET_PDEATHSIG = 1
FIRST = (
    "anyio.pytest_plugin",
    "boto3",
    "botocore.session",
    "httpx",
    "hypothesis",
    "pydantic",
    "simulator.http",
    "simulator.runtime_virtual",
    "stamina",
    "starlette",
    "trio",
)
NO_KILL = (ImportError, SyntaxError, NameError)
"""What says that the mutant itself is broken, not that a promise is."""


@dataclass(frozen=True)
class Job:
    """Tests, by their node ids, and the source that a module has instead of its own, if any."""

    name: str
    tests: Sequence[str]
    module: str = ""
    source: str = ""


@dataclass
class Verdict:
    """How a job ended. ``how``: passed, killed (a test failed as a test fails), or broken; ``told``: why, for people;
    ``cases``: whether each test, by its node id, has passed.
    """

    name: str
    how: str
    told: str = ""
    cases: Mapping[str, bool] = field(default_factory=dict)

    def passes(self, test: str) -> bool:
        """Whether this test has, with all of its parameters."""
        cases = [passed for case, passed in self.cases.items() if case == test or case.startswith(f"{test}[")]
        return bool(cases) and all(cases)


class Patched(importlib.machinery.SourceFileLoader):
    """Loads one module from a source that is not in its file."""

    source: str = ""

    def get_code(self, fullname: str) -> Any:
        return compile(self.source, self.path, "exec")


class Finder:
    """Finds the module that is patched before anybody else does."""

    def __init__(self, job: Job) -> None:
        self.job, self.used = job, False

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if name != self.job.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        assert found is not None
        assert found.origin is not None
        loader = Patched(name, found.origin)
        loader.source, self.used = self.job.source, True
        return importlib.util.spec_from_file_location(name, found.origin, loader=loader)


class Watcher:
    """pytest's plugin that notes how each test ended."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, BaseException]] = []
        self.cases: dict[str, bool] = {}

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            self.failed.append((call.when, call.excinfo.value))
            self.cases[item.nodeid] = False
        elif call.when == "call":
            self.cases[item.nodeid] = True


def run(job: Job) -> Verdict:
    """Run it here, in this process."""
    finder, watcher, said = Finder(job), Watcher(), StringIO()
    sys.meta_path.insert(0, finder)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=line",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    with redirect_stdout(said), redirect_stderr(said):
        pytest.main([*options, *job.tests], plugins=[watcher])
    how, told = _judge(watcher, said.getvalue())
    if job.module and not finder.used:
        how, told = "broken", f"{job.module} was not imported by the test"
    return Verdict(job.name, how, told, watcher.cases)


def _judge(watcher: Watcher, said: str) -> tuple[str, str]:
    for when, error in watcher.failed:
        wrong = [leaf for leaf in _leaves(error) if isinstance(leaf, NO_KILL)]
        if when != "call" or wrong:
            return "broken", f"{when}: {type(error).__name__}: {error}"
        return "killed", f"{type(error).__name__}: {error}"[:500]
    return ("passed", "") if watcher.cases else ("broken", said[-2000:])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def fork(job: Job) -> tuple[int, int]:
    """Run it in a process of its own, which dies with this one; its id, and the pipe with the verdict."""
    reads, writes = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid:
        os.close(writes)
        return pid, reads
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.alarm(LONGEST_S)  # nothing handles it: a mutant that hangs is ended
        if os.getppid() == parent:
            verdict = json.dumps(asdict(run(job))).encode()
            with os.fdopen(writes, "wb") as answer:
                answer.write(verdict)
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(0)


def main() -> None:
    for name in FIRST:
        importlib.import_module(name)
    gc.freeze()  # pytest's last collections in each fork would walk all of it: a sixth of a short job
    waiting = [Job(**job) for job in json.load(sys.stdin)]
    running: dict[int, tuple[Job, int]] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            job = waiting.pop(0)
            pid, reads = fork(job)
            running[pid] = (job, reads)
        pid, status = os.wait()
        job, reads = running.pop(pid)
        with os.fdopen(reads, "rb") as answer:
            told = answer.read().decode()
        ended = json.dumps(asdict(Verdict(job.name, "broken", f"ended with status {status}")))
        print(told or ended, flush=True)


if __name__ == "__main__":
    main()
