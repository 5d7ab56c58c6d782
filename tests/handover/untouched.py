"""Blue exactly as it was: what a failure before the drain must leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from examples.players import Players
from tests.handover.kit import Deployer, more_edits

PARTS = ("id", "state", "instance_id", "cordoned", "config", "events")


@dataclass(frozen=True)
class Blue:
    """The first release at one moment: its machines with their events, and their processes."""

    machines: dict[str, dict[str, Any]]
    processes: dict[str, int]

    @staticmethod
    def of(deployer: Deployer) -> Blue:
        described = deployer.fly.described(generation=1)
        machines = {name: {part: one[part] for part in PARTS} for name, one in described.items()}
        return Blue(machines, deployer.fly.processes(generation=1))


async def assert_untouched(deployer: Deployer, players: Players, before: Blue) -> None:
    """No cordon, no signal, no stop: the same processes, the same sockets, and edits are taken as ever."""
    assert deployer.fly.calls("cordon", "stop", "signal", "restart") == []
    assert Blue.of(deployer) == before
    await deployer.until_routed(before.machines)
    assert players.counters.reconnects == 0
    await more_edits(players, 20)
    result = await deployer.judge(players)
    assert result.passed, result
    assert players.counters.reconnects == 0
