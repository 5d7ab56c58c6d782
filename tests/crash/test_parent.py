"""A provider knows when the ``pulumi`` that started it has gone: seen with the real engine."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from providers import orphan
from providers.parent import GONE, watch_parent
from tests.crash.watched_up import DEADLINE_S, watching


def test_a_killed_pulumi_is_seen_and_a_living_one_is_not_taken_for_gone(tmp_path: Path) -> None:
    """An orphaned provider knows it, as its parent's pid would never have told it, and then ends by itself."""
    with watching(tmp_path) as watched:
        (begun,) = watched.read()
        assert (begun["gone"], begun["cancelled"]) == ("", "")
        provider = os.pidfd_open(begun["pid"])
        watched.pulumi.kill()
        (seen,) = watched.read()
        assert (seen["gone"], seen["cancelled"]) == (GONE, "")
        assert seen["parent"] == begun["parent"]
        ended, _, _ = select.select([provider], [], [], DEADLINE_S)
        os.close(provider)
        assert ended


def test_a_suspended_pulumi_is_not_taken_for_gone(tmp_path: Path) -> None:
    """Ctrl-Z is no kill; the kill after it is."""
    with watching(tmp_path) as watched:
        (begun,) = watched.read()
        seen = watch_parent(["provider", begun["engine"]])
        os.kill(watched.pulumi.pid, signal.SIGSTOP)
        assert seen() == ""
        watched.pulumi.kill()
        watched.pulumi.wait()
        assert seen() == GONE


def test_an_orphan_that_is_at_work_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that runs, of whichever resource, is let end first; a living ``pulumi`` ends nothing."""
    monkeypatch.setattr(orphan, "LOOKS_EVERY_S", 0.001)
    left, looks, works, done = list[int](), threading.Semaphore(0), threading.Event(), threading.Event()
    alive = ["", "", ""]

    def gone() -> str:
        looks.release()
        return alive.pop() if alive else GONE

    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        pool.submit(works.set)
        pool.submit(done.wait)
        works.wait()
        end = threading.Thread(target=orphan._end, args=(pool, gone, left.append))
        end.start()
        for _ in range(10):
            looks.acquire()
        assert left == []
        done.set()
        end.join()
    assert left == [orphan.CODE]


@pytest.mark.parametrize(
    "argv",
    [[], ["x"], ["x", "y"], ["x", "h:"], ["x", ":1"], ["x", "h:0"], ["x", "h:70000"], ["x", "h:1", "z"]],
)
def test_a_process_without_an_engine_has_nobody_to_outlive(argv: list[str]) -> None:
    """Whatever it was started with."""
    assert watch_parent(argv)() == ""


def test_a_port_that_nobody_listens_on_any_more_is_seen() -> None:
    """The engine's own socket tells, whatever the process above this one is."""
    with socket.create_server(("127.0.0.1", 0)) as engine:
        seen = watch_parent(["x", f"127.0.0.1:{engine.getsockname()[1]}"])
        assert seen() == ""
    assert seen() == GONE


def test_an_engine_that_takes_no_connection_in_time_is_there_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence proves nothing."""
    monkeypatch.setattr("providers.parent.ANSWERS_WITHIN_S", 0.01)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as engine:
        host, port = engine.getsockname()
        with socket.create_connection((host, port)):
            assert watch_parent(["x", f"{host}:{port}"])() == ""


@pytest.mark.parametrize(
    "error", [OSError(24, "too many open files"), socket.gaierror(), UnicodeError(), MemoryError()]
)
def test_what_else_goes_wrong_is_no_end_of_pulumi_and_never_raises(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment does not fail, or stop, because nobody could look."""

    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("socket.create_connection", fail)
    assert watch_parent(["x", "127.0.0.1:1"])() == ""
