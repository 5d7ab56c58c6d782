"""Calls that act on, or wait for, what a machine runs."""

import re

from starlette.responses import Response

from simulator import lifecycle
from simulator.bodies import Exec, RestartMachine, SignalMachine, StopMachine
from simulator.errors import bad_request
from simulator.execution import run_command
from simulator.http.call import Call, answer, answer_ok
from simulator.waits import LONGEST, Wait, wait_for


async def start(call: Call) -> Response:
    """Answers at once; `wait` tells when it has started."""
    before = lifecycle.start(call.world, call.writable())
    return answer({"previous_state": before, "migrated": False, "new_host": ""})


async def stop(call: Call) -> Response:
    """Answers at once; `wait` tells when it has stopped."""
    body = call.parse(StopMachine)
    lifecycle.stop(call.world, call.writable(), body.signal, body.timeout)
    return answer_ok()


async def suspend(call: Call) -> Response:
    """Freeze it."""
    lifecycle.suspend(call.world, call.writable())
    return answer_ok()


async def restart(call: Call) -> Response:
    """Answers at once. Options are query parameters in Fly's description; a body is accepted too."""
    body = call.parse(RestartMachine)
    lifecycle.restart(
        call.world, call.writable(), body.timeout, bool(body.force_stop) or call.flag("force_stop")
    )
    return answer_ok()


async def send_signal(call: Call) -> Response:
    """Deliver a signal."""
    body = call.parse(SignalMachine)
    lifecycle.send_signal(call.writable(), body.signal)
    return answer_ok()


async def wait(call: Call) -> Response:
    """Answers when the state is reached, or 408."""
    machine = call.machine()
    states = call.words("state") or ("started",)
    version = call.query("version") or call.query("instance_id")
    await wait_for(
        machine, Wait(states, _read_seconds(call.query("timeout")), version, call.query("from_event_id"))
    )
    latest = machine.events[-1].id
    return answer({"ok": True, "state": machine.state, "version": machine.instance_id, "event_id": latest})


def _read_seconds(text: str | None) -> float:
    if text is None:
        return LONGEST
    number = re.fullmatch(r"(\d{1,9})s?", text, re.ASCII)
    if number is None:
        raise bad_request("timeout must be a number of seconds")
    return float(number[1])


async def execute(call: Call) -> Response:
    """200 with the exit code, also when the command failed."""
    body = call.parse(Exec)
    result = await run_command(call.world, call.living(), body)
    return answer(
        {
            "exit_code": result.exit_code,
            "exit_signal": result.exit_signal,
            "stdout": result.stdout,
            "stderr": result.stderr,
        }
    )


async def list_processes(call: Call) -> Response:
    """What runs inside a started machine."""
    machine = call.living()
    lifecycle.require_started(machine)
    return answer(lifecycle.running_program(machine).list_processes())
