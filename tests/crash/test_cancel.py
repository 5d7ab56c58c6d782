"""A provider hears one Ctrl-C on ``pulumi``, with the real engine; without the SDK's private names it hears none."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from providers import cancel
from providers.cancel import ASKED, watch_cancel
from tests.crash.watched_up import watching


@pytest.fixture(autouse=True)
def unasked() -> Iterator[None]:
    yield
    cancel.asked.clear()


@pytest.mark.parametrize("count", [1, 5])
def test_one_ctrl_c_reaches_the_provider(count: int, tmp_path: Path) -> None:
    """However many deployments run: Pulumi's SDK serves four calls at a time, and a Cancel would wait behind them."""
    with watching(tmp_path, count) as watched:
        assert {line["cancelled"] for line in watched.read()} == {""}
        watched.pulumi.send_signal(signal.SIGINT)
        assert {(line["cancelled"], line["gone"]) for line in watched.read()} == {(ASKED, "")}
        assert watched.pulumi.wait(30) == 1


def servicer(body: Callable[..., Any]) -> SimpleNamespace:
    """A main module whose servicer has this Cancel."""
    return SimpleNamespace(DynamicResourceProviderServicer=type("Servicer", (), {"Cancel": body}))


def test_the_call_is_heard_where_the_sdk_is_as_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that was bound before, as the server holds it, is the one that hears."""
    main = servicer(lambda self, request, context: None)
    bound = main.DynamicResourceProviderServicer().Cancel
    monkeypatch.setitem(sys.modules, "__main__", main)
    seen = watch_cancel()
    assert seen() == ""
    bound(None, None)
    assert seen() == ASKED


def closure() -> Callable[..., Any]:
    held = object()
    return lambda self, request, context: held


@pytest.mark.parametrize(
    "main",
    [SimpleNamespace(), servicer(lambda self, call: "other"), servicer(closure()), servicer(print)],
    ids=["no servicer", "other arguments", "a closure", "no Python"],
)
def test_without_the_private_names_nothing_is_heard_and_nothing_breaks(
    main: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment runs to its end then, as it did before."""
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert watch_cancel()() == ""


def test_work_that_waits_for_a_thread_gets_one() -> None:
    """Four calls run and a fifth waits: after the pool was widened all of them, and a sixth, run at once."""
    all_run = threading.Barrier(7)
    with ThreadPoolExecutor(max_workers=4) as pool:
        server = SimpleNamespace(_state=SimpleNamespace(thread_pool=pool))
        calls = [pool.submit(all_run.wait, 30) for _ in range(5)]
        watch_cancel()  # finds `server` among the main thread's local variables, as in a provider
        assert server._state.thread_pool._max_workers == cancel.THREADS
        calls.append(pool.submit(all_run.wait, 30))
        all_run.wait(30)
        assert {call.exception() for call in calls} == {None}
