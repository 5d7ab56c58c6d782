"""The rule of two deployers: who holds leases is the only one that changes anything, until they are given back.

But for one: a run that has found nothing to lease creates its first machine to see who else is there.
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
    _begun: set[str] = field(default_factory=set)

    def hear(self, record: Record) -> None:
        who = record["by"]
        if record["kind"] != "request" or who is None or not _changes(record):
            return
        me = self.holder_of(who)
        others = {held for held in self._holders(str(record["app"])) if held != me}
        first = me not in self._begun and record["action"] == "create_machine"
        self._begun.add(me)
        if others and not first:
            self.broken.append(
                f"deployer {who} did {record['method']} {record['path']} under a lease of {sorted(others)} "
                f"(record {record['n']})"
            )

    def _holders(self, app: str) -> Iterable[str]:
        machines = self.world.apps[app].machines.values() if app in self.world.apps else ()
        leases = (find_lease(self.world, machine) for machine in machines)
        return (lease.description for lease in leases if lease and self.alive(lease.description))


def _changes(record: Record) -> bool:
    done = record["method"] != "GET" and record["status"] < 400 and record["action"] != "create_app"
    return done and not str(record["path"]).endswith("/lease")
