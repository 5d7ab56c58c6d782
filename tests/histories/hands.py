"""What people and hosts do to machines, past the deployers. All of it is told to those who keep the accounts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import Any

from simulator import lifecycle, machines
from simulator.bodies import CreateMachine
from simulator.deletion import destroy_by_force
from simulator.errors import ApiError
from simulator.leases import check_lease
from simulator.model import Machine
from tests.bluegreen.virtual import V1, Kit
from tests.histories.accounts import Accounts
from tests.histories.steps import Boot, HandAct, HostAct
from tests.histories.watch import HAND, STRANGERS, Heard, done_by

APP = "rooms"
BOOTS: dict[Boot, dict[str, Any]] = {
    "well": {"boot_seconds": 0.5, "healthy_after": 0.0},
    "never start": {"boot_seconds": float("inf")},
    "crash": {"boot_seconds": 0.5, "crash_after": 0.5},
    "never healthy": {"boot_seconds": 0.5, "healthy_after": float("inf")},
    "flap": {"boot_seconds": 0.5, "healthy_after": 0.0, "flap_seconds": 3.0},
    "slow": {"boot_seconds": 8.0, "healthy_after": 6.0},
}


@dataclass
class Hands:
    """``foreign``: ids of machines that are not ours."""

    kit: Kit
    accounts: Accounts
    history: Heard
    foreign: set[str] = field(default_factory=set)

    def ours(self) -> list[Machine]:
        """Those that exist, in the order of their creation."""
        return [machine for machine in self.kit.machines() if machine.id not in self.foreign]

    def do(self, act: HandAct, nth: int) -> bool:
        """Somebody's act with the API or at the dashboard, which heed leases too. False where it cannot be done."""
        if APP not in self.kit.world.apps:
            return False
        if act == "add unmanaged":
            self._add(
                f"{STRANGERS[0]}{len(self.foreign) + 1}", {"image": V1, "metadata": {"made": "by hand"}}
            )
            return True
        found = self._pick(nth)
        if found is None:
            return False
        if act == "clone":
            self._add(f"{STRANGERS[1]}{len(self.foreign) + 1}", dict(found.config))
            return True
        with contextlib.suppress(ApiError), done_by(HAND):
            check_lease(self.kit.world, found, None)
            self._change(act, found)
            return True
        return False

    def _pick(self, nth: int) -> Machine | None:
        existing = self.ours()
        return existing[nth % len(existing)] if existing else None

    def _add(self, name: str, config: dict[str, Any]) -> None:
        raw = {"name": name, "config": config}
        body = CreateMachine.model_validate(raw)
        made = machines.create_machine(self.kit.world, APP, body, raw)
        self.foreign.add(made.id)
        self.history.excuse(made.id)

    def _change(self, act: HandAct, machine: Machine) -> None:
        world = self.kit.world
        self.history.excuse(machine.id)
        if act in ("cordon", "uncordon"):
            machines.set_cordon(world, machine, "cordon" if act == "cordon" else "uncordon")
        elif act == "start":
            lifecycle.start(world, machine)
        else:
            if machine.run is not None:
                self.accounts.ended_by[machine.id] = f"{act} by hand"
            if act == "stop":
                lifecycle.stop(world, machine, None, None)
            else:
                world.tasks.start_soon(destroy_by_force, world, machine)

    def happen(self, act: HostAct, nth: int) -> bool:
        """What no lease keeps from happening."""
        machine = self._pick(nth)
        if machine is None:
            return False
        if act in ("unreachable", "answers"):
            self.kit.world.set_host_status(machine, "unreachable" if act == "unreachable" else "ok")
            self.history.excuse(machine.id)
            return True
        program = self.kit.runtime.programs.get(machine.id)
        if program is None or not program.up:
            return False
        self.history.excuse(machine.id)
        if act == "dies":
            self.accounts.ended_by[machine.id] = "its process died"
            program.signal("SIGKILL")
            return True
        (self.history.sick.discard if act == "heals" else self.history.sick.add)(machine.id)
        spoiled = {"flaps": BOOTS["flap"], "unhealthy": BOOTS["never healthy"], "heals": BOOTS["well"]}[act]
        program.behaviour = replace(
            program.behaviour,
            healthy_after=spoiled["healthy_after"],
            flap_seconds=spoiled.get("flap_seconds"),
        )
        return True

    def boot(self, how: Boot) -> None:
        """From now on machines start like this."""
        self.history.boots_well = how == "well"
        self.kit.runtime.script("*", self.kit.app(**BOOTS[how]))

    def take_back(self) -> None:
        """People heed what a refusal names: machines that they let users in to are cordoned again."""
        with done_by(HAND):
            for machine in self.ours():
                if self.history.let_in_by_hand(machine.id):
                    machines.set_cordon(self.kit.world, machine, "cordon")

    def make_well(self) -> None:
        """Every host answers, what never starts is started anew, every process is healthy, and strangers are gone."""
        self.boot("well")
        self.history.sick.clear()
        for number in range(len(self.ours())):
            self.happen("answers", number)
            self.happen("heals", number)
        for program in self.kit.runtime.programs.values():
            if not program.has_started:
                program.signal("SIGKILL")
        for machine in self.kit.machines():
            if machine.id in self.foreign:
                self.history.excuse(machine.id)
                self.kit.world.tasks.start_soon(destroy_by_force, self.kit.world, machine)
