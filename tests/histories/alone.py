"""The rule of two deployers: who holds leases is the only one that changes anything, until they are given back.

But for one: a run that has nothing to lease creates a first machine, unrouted, to see who else is there. And who has
some leases only, waits for the others, and has changed nothing, is not at work yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simulator.history import Record
from simulator.leases import find_lease
from simulator.world import World


@dataclass
class Alone:
    """``holder_of`` tells how the leases of a deployer's present run are described, ``alive`` whether the run that is
    described so is not over yet: what a run could not give back at its end is nobody's. ``broken`` collects changes
    beside another's.
    """

    world: World
    holder_of: Callable[[int], str]
    alive: Callable[[str], bool]
    broken: list[str] = field(default_factory=list)
    _acting: set[str] = field(default_factory=set)

    def hear(self, record: Record) -> None:
        who = record["by"]
        if who is None or not _changes(record):
            return
        holders, me = set(self._holders()), self.holder_of(who)
        first = me not in holders and record.get("action") == "create_machine"
        if first:
            return
        others = holders - {me}
        beside = others & self._acting if me in holders else others
        self._acting.add(me)
        if beside:
            self.broken.append(
                f"deployer {who} did {_what(record)} under a lease of {sorted(beside)} (record {record['n']})"
            )

    def _holders(self) -> Iterable[str]:
        machines = (machine for app in self.world.apps.values() for machine in app.machines.values())
        leases = (find_lease(self.world, machine) for machine in machines)
        return (lease.description for lease in leases if lease and self.alive(lease.description))


def _changes(record: Record) -> bool:
    """A machine's destruction counts when it begins: it is out of every list then, and its answer comes later."""
    if record["kind"] == "machine":
        return bool(record["state"] == "destroying" and record["by"] is not None)
    if record["kind"] != "request" or record["action"] in ("create_app", "delete_machine"):
        return False
    done = record["method"] != "GET" and record["status"] < 400
    return done and not str(record["path"]).endswith("/lease")


def _what(record: Record) -> str:
    destroys = record["kind"] == "machine"
    return f"destroy {record['name']}" if destroys else f"{record['method']} {record['path']}"
