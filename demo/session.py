"""Sessions of processes: everything that a program started, ended together.

Pulumi gives its plugins process groups of their own, and a provider whose `pulumi` was killed goes on mutating as an
orphan. What none of them leaves is the session in which their first ancestor was started.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

GONE_SECONDS = 5.0


def end_session(leader: int) -> None:
    """Kill every process of the session that `leader` was started to lead, and wait until they are gone."""
    while members := list_members(leader):
        for pid in members:
            _kill_if_in(leader, pid)


def list_members(leader: int) -> list[int]:
    """The living processes of a session, by pid."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if _session_of(pid) == leader]


def _kill_if_in(leader: int, pid: int) -> None:
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            # Asked again with the pidfd in hand: the pid may have become another process's meanwhile.
            if _session_of(pid) == leader:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                select.select([pidfd], [], [], GONE_SECONDS)
        finally:
            os.close(pidfd)


def _session_of(pid: int) -> int | None:
    """The session of a process; None when it is over (a zombie only waits for its parent)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # proc(5): pid (comm) state ppid pgrp session …; comm may hold spaces and brackets.
    state, _parent, _group, session = stat.rpartition(b")")[2].split()[:4]
    return None if state in (b"Z", b"X") else int(session)


def end_on_signals() -> None:
    """Have SIGTERM and a closed terminal unwind this process as an exit does, so that all that it started ends."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
