"""Sessions: everything in one is ended, and nothing else."""

from __future__ import annotations

import subprocess
import sys

from demo.session import end_session, list_members

# Like pulumi's plugins: a child in a process group of its own, which its parent does not end.
ESCAPE = """
import os, signal
if os.fork() == 0:
    os.setpgid(0, 0)
    print("ready", flush=True)
signal.pause()
"""


def test_a_child_that_left_the_process_group_is_ended_with_its_session() -> None:
    """A process group of its own saves no process from the end of its session."""
    process = subprocess.Popen(
        [sys.executable, "-c", ESCAPE], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert len(list_members(process.pid)) == 2
        end_session(process.pid)
        assert list_members(process.pid) == []


def test_other_sessions_live_on() -> None:
    """Ending one session touches no other, not even one that the same process started."""
    argv = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as ended,
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as other,
    ):
        for process in (ended, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        end_session(ended.pid)
        assert list_members(other.pid) == [other.pid]
        other.kill()
