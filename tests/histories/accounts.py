"""The account of every acknowledged edit: at each end of a process, what it had not saved is somebody's, by name.

A deployer may lose nothing. People and hosts may: who destroys or kills a machine by hand takes what it had not saved
with it. And a machine that is stopped by its signal alone while S3 is down is killed at its deadline, unsaved: then the
deploy must say so (promise 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bluegreen.scripted_app import ScriptedApp
from tests.histories.steps import Cutover, Drain

SIGKILL = 9


class Lost(AssertionError):
    """An acknowledged edit went with a machine, and no one but a deployer is to blame."""


@dataclass
class Accounts:
    """``ended_by``: who made an end of a machine's process from outside, by machine id, set before it ends.

    ``forfeited``: edits that are allowed to be lost, and why. ``unsaved``: machines that were killed at their stop's
    deadline with unsaved edits in an outage, which the run that stopped them has to say. ``ended``: machines that have
    nothing to save any more, because somebody else made an end of them, and they have not started since.
    """

    app: ScriptedApp
    drain: Drain
    cutover: Cutover
    ended_by: dict[str, str] = field(default_factory=dict)
    forfeited: dict[str, str] = field(default_factory=dict)
    unsaved: dict[str, float] = field(default_factory=dict)
    outage_ended_at: float = float("-inf")
    ended: set[str] = field(default_factory=set)

    def hear(self, record: Mapping[str, Any]) -> None:
        """Each record of the history, as it is written."""
        if record["kind"] != "event":
            return
        if record["type"] == "start":
            self.ended.discard(record["machine_id"])
        elif record["type"] == "exit":
            self._ended(str(record["machine_id"]), record["exit_event"], float(record["t"]))

    def _ended(self, machine_id: str, how: Mapping[str, Any], at: float) -> None:
        by = self.ended_by.pop(machine_id, "") or ("" if how["requested_stop"] else "it ended by itself")
        if by:
            self.ended.add(machine_id)
        life = self.app.lives.get(machine_id)
        left = set(life.edits) - self.app.saved - self.forfeited.keys() if life else set()
        if not left:
            return
        if not by and how["requested_stop"] and how["signal"] == SIGKILL and self._outage(at):
            by = "killed at its stop's deadline, while S3 was down"
            self.unsaved[machine_id] = at
        if not by and self.cutover == "overlap":
            by = "overlap proves no state"
        if not by:
            raise Lost(f"machine {machine_id} ended ({dict(how)}) with unsaved edits {sorted(left)}")
        self.forfeited |= dict.fromkeys(left, by)

    def _outage(self, at: float) -> bool:
        """Whether the machine could not save at some time of its stop. With a drain request it is proven before."""
        return self.drain == "stop" and (self.app.store.down or self.outage_ended_at > at - 60)

    def lost(self, running: set[str]) -> set[str]:
        """Edits that nobody has any more, and that nobody was allowed to lose."""
        return self.app.lost(running) - self.forfeited.keys()
