"""The call behind `fly logs`: what machines printed last."""

from typing import Any

from starlette.responses import Response

from simulator.clock import format_time
from simulator.http.call import Call, answer
from simulator.model import Machine

MOST = 100


async def read_logs(call: Call) -> Response:
    """The newest lines, oldest first, of the app or of one `instance` or `region`; none after a `next_token`."""
    instance, region = call.query("instance"), call.query("region")
    machines = [
        machine
        for machine in call.world.find_app(call.app).machines.values()
        if instance in (None, machine.id) and region in (None, machine.region)
    ]
    now = call.world.clock.now()
    entries = [entry for machine in machines for entry in _list_entries(call, machine, now)]
    shown = [] if call.query("next_token") else entries[-MOST:]
    return answer({"data": shown, "meta": {"next_token": str(int(now * 1e9))}})


def _list_entries(call: Call, machine: Machine, now: float) -> list[dict[str, Any]]:
    lines = call.world.runtime.read_output(machine.id).splitlines()
    return [
        {
            "id": f"{machine.id}-{number}",
            "type": "log",
            "attributes": {
                "timestamp": format_time(now),
                "message": line,
                "level": "info",
                "instance": machine.id,
                "region": machine.region,
                "meta": {},
            },
        }
        for number, line in enumerate(lines, start=1)
    ]
