"""Child processes that cannot outlive this one, waited for without threads. Linux only: pidfd and PDEATHSIG."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import anyio

LAUNCHER = str(Path(__file__).with_name("launch.py"))


class Child:
    """A started process, the leader of its own session and process group."""

    def __init__(
        self, argv: list[str], env: Mapping[str, str], *, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> None:
        # From this thread: the death signal comes when the *thread* that forked ends.
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), *argv],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self._pidfd: int | None = os.pidfd_open(self.pid)

    async def wait(self) -> int:
        """Its exit code, or minus the signal that ended it. However this ends, the whole group is dead afterwards."""
        assert self._pidfd is not None
        try:
            await anyio.wait_readable(self._pidfd)
        finally:
            # The leader is not reaped yet, so the group id is still its own.
            self.signal_group(signal.SIGKILL)
            with anyio.CancelScope(shield=True):
                await anyio.wait_readable(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
            code = self._popen.wait()
        return code

    def signal(self, number: int) -> None:
        """Signal the leader alone, as Fly's init does; harmless after its end."""
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def signal_group(self, number: int) -> None:
        """Signal the leader and all that it started; harmless after its end."""
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


class Output:
    """A pipe to a child, of which the first or the last `limit` bytes are kept and the rest is read and dropped."""

    def __init__(self, limit: int, *, keep_last: bool) -> None:
        self._limit = limit
        self._keep_last = keep_last
        self._kept = bytearray()
        self._read_end, self.write_end = os.pipe()
        self._open = {self._read_end, self.write_end}
        os.set_blocking(self._read_end, False)

    def hand_over(self) -> None:
        """Close our copy of the child's end, once the child has its own."""
        self._close(self.write_end)

    def close(self) -> None:
        """Close what is still open."""
        self._close(self.write_end)
        self._close(self._read_end)

    def _close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)

    async def drain(self) -> None:
        """Read until the child's end closes or this is cancelled."""
        try:
            while True:
                await anyio.wait_readable(self._read_end)
                if not self._take():
                    return
        finally:
            self._take_rest()
            self.close()

    def text(self) -> str:
        """What was kept."""
        return self._kept.decode("utf-8", "replace")

    def _take(self) -> bool:
        chunk = os.read(self._read_end, 65536)
        self._kept += chunk
        if len(self._kept) > self._limit:
            self._kept = self._kept[-self._limit :] if self._keep_last else self._kept[: self._limit]
        return bool(chunk)

    def _take_rest(self) -> None:
        with suppress(BlockingIOError):
            while self._take():
                pass
