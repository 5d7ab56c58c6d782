"""What a history has told so far: the world as its records leave it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
GONE = ("destroying", "destroyed")
RUNNING = ("started", "stopping", "restarting")
LEASE = "/lease"
"""Taking and giving back a lease changes nothing that anybody is served by."""
TASK = "-task-"
"""Part of the names of short-lived machines."""


@dataclass(frozen=True)
class Rules:
    """What no history tells. ``handoff``: whether two clusters may never be routed at once. ``warm``: whether an older
    cluster is kept. ``saved`` gives the ids of machines whose state is saved; ``None`` where nothing has to be.
    ``canaries`` may be found nowhere.
    """

    handoff: bool = True
    warm: bool = False
    saved: Callable[[], Collection[str]] | None = None
    canaries: frozenset[str] = frozenset()


@dataclass
class Told:
    """Machines by id, as last told; the routes; what the present run has done.

    ``before`` is what was told of a machine before the record that is read now. ``in_use``: ids of machines that were
    routed since they booted, so that users may hold sockets to them, cordoned or not. ``joining``: ids of machines that
    were made for a cluster that was whole, and not routed yet; ``leaving``: of those that were cordoned
    when as many as are wanted were routed without them. ``excused``: ids that somebody else than a deployer changes.
    ``wanted``: how many machines the present run wants, ``most`` any run so far. ``unwanted``: ids of those that a run
    destroyed that was to destroy everything. ``owners``: releases as the store's records name them; ``commits``: the
    same and, where clusters overlap or there is no store, as marks on machines do.
    """

    rules: Rules = field(default_factory=Rules)
    machines: dict[str, Record] = field(default_factory=dict)
    before: Record | None = None
    routed: frozenset[str] = frozenset()
    ever_routed: set[str] = field(default_factory=set)
    in_use: set[str] = field(default_factory=set)
    joining: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    whole: str = ""
    whole_before: str = ""
    cordoned_since: set[str] = field(default_factory=set)
    apps: dict[str, str] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    goal: str = "deploy"
    wanted: int = 0
    most: int = 0
    writes: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    unwanted: set[str] = field(default_factory=set)
    failed: bool = False

    def begin(self, goal: str, wanted: int) -> None:
        """A run begins."""
        self.goal, self.wanted, self.most = goal, wanted, max(self.most, wanted)
        self.writes, self.destroyed, self.failed = [], [], False

    def read(self, record: Record) -> None:
        """Take one record in. Kinds that say nothing of promises are left out."""
        reads = {
            "machine": self._read_machine,
            "routes": self._read_routes,
            "request": self._read_request,
            "app": self._read_app,
            "commit": self._read_commit,
            "said": self._read_said,
        }
        if record["kind"] in reads:
            reads[record["kind"]](record)

    def _read_machine(self, record: Record) -> None:
        key = record["machine_id"]
        self.before = self.machines.get(key)
        self.machines[key] = record
        self._read_marks(record)
        if self.before is None and record["release"] and record["release"] == self.whole:
            self.joining.add(key)
        if record["state"] not in RUNNING:
            self.in_use.discard(key)
        elif key in self.routed:
            self.in_use.add(key)
        if not record["cordoned"]:
            self.leaving.discard(key)
        if self.cordons(record):
            self.cordoned_since.add(key)
            self._read_leaving(record)
        if self.destroys(record) and self.failed:
            self.destroyed.append(key)
        if self.destroys(record) and self.goal == "destroy":
            self.unwanted.add(key)

    def _read_marks(self, record: Record) -> None:
        """A mark that is new on a machine: that its own release serves, or which one owns the state."""
        before = self.before or {}
        if record.get("serving") and record["serving"] != before.get("serving"):
            self.commits.append(str(record["release"]))
        if record.get("owner") and record["owner"] != before.get("owner"):
            self.commits.append(str(record["owner"]).partition(" ")[2])

    def _read_leaving(self, record: Record) -> None:
        """Where no state is kept, a machine may go if as many as are wanted are healthy and routed without it. One that
        was routed, is uncordoned and has just recovered counts, too: the proxy learns of it late.
        """
        cluster = self.cluster(record["release"])
        well = {m["machine_id"] for m in cluster if m["healthy"] and not m["cordoned"]}
        rest = well & self.ever_routed
        if not self.rules.handoff and len(rest - self.leaving - {record["machine_id"]}) >= self.wanted > 0:
            self.leaving.add(record["machine_id"])

    def _read_routes(self, record: Record) -> None:
        self.routed = frozenset(record["machine_ids"])
        self.ever_routed |= self.routed
        self.joining -= self.routed
        self.in_use |= {key for key in self.routed if self.machines[key]["state"] in RUNNING}
        self.whole_before, self.whole = self.whole, self._find_whole()
        if self.whole:
            self.cordoned_since = {key for key in self.cordoned_since if self.machines[key]["cordoned"]}

    def _read_request(self, record: Record) -> None:
        if record["method"] != "GET" and record["status"] < 400 and not record["path"].endswith(LEASE):
            self.writes.append(f"{record['method']} {record['path']}")

    def _read_app(self, record: Record) -> None:
        self.apps[record["machine_id"]] = record["state"]

    def _read_commit(self, record: Record) -> None:
        self.owners.append(record["release"])
        self.commits.append(record["release"])

    def _read_said(self, record: Record) -> None:
        self.failed = self.failed or " failed: " in record["text"]

    def cordons(self, record: Record) -> bool:
        """Whether this record of a machine takes it away from new users."""
        return bool(self.before and not self.before["cordoned"] and record["cordoned"])

    def destroys(self, record: Record) -> bool:
        """Whether this record of a machine is the first of its end."""
        return bool(self.before and self.before["state"] not in GONE and record["state"] in GONE)

    def release(self, machine_id: str) -> str:
        """The release that a machine was created for; "" for machines that are not ours."""
        told = self.machines.get(machine_id)
        return str(told["release"]) if told else ""

    def cluster(self, release: str) -> list[Record]:
        """The machines of a release that exist, without short-lived ones."""
        ours = (m for m in self.machines.values() if m["release"] == release and TASK not in m["name"])
        return [machine for machine in ours if machine["state"] not in GONE]

    def existing(self) -> list[Record]:
        """All our machines that exist."""
        return [m for m in self.machines.values() if m["release"] and m["state"] not in GONE]

    def names(self, ids: Collection[str]) -> set[str]:
        """Names of those of our machines that exist still."""
        return {m["name"] for m in self.existing() if m["machine_id"] in ids}

    def _find_whole(self) -> str:
        """A release of which every machine that exists is routed, but for those that come or go."""
        for release in sorted({self.release(key) for key in self.routed} - {""}):
            ids = {machine["machine_id"] for machine in self.cluster(release)}
            if ids & self.routed and ids - self.joining - self.leaving <= self.routed:
                return release
        return ""
