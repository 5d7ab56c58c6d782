"""Runs one program and ends it: `python -I -S guard.py CONTROL SCOPE ARGV…`.

CONTROL is the number of a socket to the deployer. When the deployer closes it, or is gone, however it ended, what was
started is killed. When the program has ended by itself, what it left behind is killed as well. Then the guard answers
``exit CODE`` (minus the signal that ended the program), or before it ``error REASON`` where it could not be started.

SCOPE ``tree``: everything that the program started, also what made a session of its own: orphans are handed to this
process, not to init. ``group``: the program's own process group alone, so that daemons that it left on purpose go on.

A process of its own, because becoming the reaper of orphans is asked for a whole process, and because Linux sends the
death signal when the thread that forked ends: this one has a single thread.
"""

import ctypes
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PARENT, GROUP = 1, 2
DEFAULT_SIGNALS = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores the last two, and what is ignored stays so in a program that it starts."""


def main() -> None:
    """Guard a program from its start to the end of all that it started."""
    control, scope, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.set_inheritable(control, False)
    if scope == "tree":
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = os.fork() or _become(argv, control, os.getppid())
    _await_an_end(program, control)
    code = _end_tree(program) if scope == "tree" else _end_group(program)
    with suppress(OSError):  # the deployer is gone
        os.write(control, f"exit {code}\n".encode())


def _become(argv: list[str], control: int, guard: int) -> NoReturn:
    try:
        os.setsid()
        for number in DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == guard:
            os.execvp(argv[0], argv)
    except OSError as error:
        os.write(control, f"error {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _await_an_end(program: int, control: int) -> None:
    """Wait for the program's end, or the deployer's; neither is reaped, so that the program's id stays its own."""
    _await(os.pidfd_open(program), control)


def _await(process: int, *others: int) -> None:
    """Wait until the process of this pidfd has ended, or one of the others can be read."""
    either = select.poll()  # select knows no descriptor from 1024 on, and CONTROL has the deployer's number
    for descriptor in (process, *others):
        either.register(descriptor, select.POLLIN)
    either.poll()
    os.close(process)


def _end_group(program: int) -> int:
    """Kill the group and see each of its members end: a grandchild is no child of this process, and may end later.

    The program is reaped last: until then no other group can have its id.
    """
    os.killpg(program, signal.SIGKILL)
    for member in _where(GROUP, program):
        with suppress(ProcessLookupError):
            _await(os.pidfd_open(member))
    return os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])


def _end_tree(program: int) -> int:
    """Kill generation by generation: the orphans of what was killed are children of this process the moment after.

    Only children are killed: their ids cannot become a stranger's, since nobody else can reap them.
    """
    code = 0
    with suppress(ChildProcessError):  # none is left
        while True:
            _kill_children()
            found, status = os.waitpid(-1, 0)
            while found:
                code = os.waitstatus_to_exitcode(status) if found == program else code
                found, status = os.waitpid(-1, os.WNOHANG)
    return code


def _kill_children() -> None:
    for child in _where(PARENT, os.getpid()):
        with suppress(PermissionError):  # of another user
            os.kill(child, signal.SIGKILL)


def _where(field: int, value: int) -> Iterator[int]:
    """The processes of which ``/proc/PID/stat`` has this value in this field after the name."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
            # "PID (NAME) STATE PARENT GROUP …", and a name may hold anything.
            if int(stat.read().rpartition(b")")[2].split()[field]) == value:
                yield int(name)


if __name__ == "__main__":
    main()
