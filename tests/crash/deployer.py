"""Deployers that are real processes: the product's own code, one process for each run.

`python -m tests.crash.deployer` imports everything once. For every order, a line of JSON on stdin, it forks, so that a
run has a pid of its own within milliseconds; it prints that pid, and at the run's end another line: how the process
ended, and the outcome as JSON, or why nothing was decided.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any

import anyio
from pydantic import TypeAdapter

from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.events import lines
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.spec import Spec
from providers.gates.routing import outside
from providers.gates.s3 import open_store
from providers.session import open_context

PR_SET_PDEATHSIG = 1
OUTCOME = TypeAdapter(Outcome)


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """One run: its outcome, or the refusal."""
    said: list[str] = []
    request = Request(
        order["goal"],
        known_generation=order["generation"],
        expected=frozenset(order["machine_ids"]),
        owns_app=True,
    )
    try:
        async with open_context(Spec.model_validate(order["spec"]), lines(said.append)) as ctx:
            ctx.lease_s = ctx.lock.lease_s = order["lease_s"]
            outcome = await deploy(ctx, request)
    except CannotLook as error:
        return {"refused": str(error), "said": said}
    return {"outcome": OUTCOME.dump_python(outcome, mode="json"), "said": said}


def become_run(order: dict[str, Any], answer_to: int) -> None:
    """In the forked process. It ends with the one that forked it."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        with os.fdopen(answer_to, "w") as answer:
            json.dump(anyio.run(run, order), answer)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, this process is no second parent
        traceback.print_exc()
        os._exit(1)


def serve(order: dict[str, Any]) -> None:
    """Fork, tell the pid, and how it ended."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        become_run(order, writable)
    os.close(writable)
    print(json.dumps({"pid": pid}), flush=True)
    with os.fdopen(readable) as answer:
        told = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps({"code": code} | (json.loads(told) if code == 0 else {})), flush=True)


def warm() -> None:
    """What every run would load first, a good part of its work: boto3's models, and the certificates."""
    open_store("any", endpoint_url="http://127.0.0.1:9", region="us-east-1")
    outside()


def main() -> None:
    """Serve orders until stdin ends."""
    warm()
    gc.freeze()  # what is shared stays shared
    for line in sys.stdin:
        serve(json.loads(line))


if __name__ == "__main__":
    main()
