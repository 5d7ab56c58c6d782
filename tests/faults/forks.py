"""One run that splits: at each call a process for each thing that may happen there, instead of a run from the start.

Half of a scenario is what all of its section share: the world before, and the run until the call in question.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.calls import Call

LONGEST_S = 120.0
"""Many times what the slowest scenario takes."""
Key = tuple[Call, str]
"""A cell: the call that it happens at, and its column's heading."""


@dataclass(frozen=True)
class Told:
    """What a scenario's process told: its cell, or what was broken."""

    cell: str = ""
    broken: str = ""


class Forks:
    """Where a run splits, and what its processes told. ``mine``: what this process is to meet; ``None`` in the run
    that they all come from.
    """

    def __init__(self, scenarios: Mapping[Key, Any]) -> None:
        self.mine: Any = None
        self.told: dict[Key, Told] = {
            key: Told(broken=f"AssertionError: {key[0]} was not made") for key in scenarios
        }
        self._scenarios = dict(scenarios)
        self._answer = -1

    def meet(self, call: Call) -> Any:
        """What this process is to meet at this call, once; ``None`` in the run that they all come from."""
        if self.mine is None:
            for key in [key for key in self._scenarios if key[0] == call]:
                if self._is_forked(key, self._scenarios.pop(key)):
                    return self.mine
        return None

    def end(self, told: Told) -> None:
        """End this process, with its word to the one that it comes from."""
        os.write(self._answer, json.dumps(vars(told)).encode())
        os._exit(0)

    def _is_forked(self, key: Key, scenario: Any) -> bool:
        readable, writable = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of threads; those of a test run's messages hold nothing that a scenario uses.
            warnings.simplefilter("ignore", DeprecationWarning)
            gc.freeze()  # what is shared stays shared: a collection would touch, and so copy, all of it
            pid = os.fork()
        if pid == 0:
            os.close(readable)
            _end_after(LONGEST_S)
            self.mine, self._answer = scenario, writable
            return True
        os.close(writable)
        with os.fdopen(readable) as answer:
            text = answer.read()
        _, status = os.waitpid(pid, 0)
        self.told[key] = Told(**json.loads(text)) if text else Told(broken=_silent(status))
        return False


def _end_after(seconds: float) -> None:
    """Nothing handles it, whatever the test run has set up: a process that hangs, even one that spins, is ended."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _silent(status: int) -> str:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return f"its process did not end within {LONGEST_S:g} s"
    return "its process told nothing"
