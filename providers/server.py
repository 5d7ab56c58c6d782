"""The server in which Pulumi's SDK runs a dynamic provider: private to the SDK and to gRPC, and touched here only.

Everything here raises where their names are others: whoever asks goes without.
"""

from __future__ import annotations

import sys
import threading
from typing import Any


def thread_pool() -> Any:
    """The pool that runs this process's calls. The server is a local variable of Pulumi's ``main``, in which the main
    thread waits. Raises ``LookupError`` where there is none.
    """
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame:
        server = frame.f_locals.get("server")
        if server is not None:
            return server._state.thread_pool
        frame = frame.f_back
    raise LookupError("this process serves no engine")


def is_idle(pool: Any) -> bool:
    """Whether no call is queued or running, of any resource: an idle thread is in the pool's own loop."""
    frames = sys._current_frames()
    running = [frames[thread.ident].f_code.co_name for thread in pool._threads if thread.ident in frames]
    return not pool._work_queue.qsize() and set(running) <= {"_worker"}
