"""Frozen types that the pure core works on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from providers.bluegreen.spec_gates import Drain, ManifestProof, StateProof, StopDrain

Cutover = Literal["handoff", "overlap"]


class Phase(StrEnum):
    """The parts of a rollout, by their public names."""

    CREATE_NEW = "create-new"
    VERIFY = "verify"
    DRAIN_OLD = "drain-old"
    SWITCH_ROUTES = "switch-routes"
    BAKE = "bake"
    RETIRE_OLD = "retire-old"
    RESTORE_OLD = "restore-old"
    ROLL_BACK = "roll-back"


class Role(StrEnum):
    """Whose machines a step is about: the cluster that serves, those of it that an earlier run took from users
    (``down``), the one being brought up, what given-up deployments left (``stray``), clusters that served before blue
    (``past``), what is to go but green (``others``), short-lived ones of tests (``task``), or all of it.
    """

    BLUE = "blue"
    DOWN = "blue, down"
    GREEN = "green"
    STRAY = "stray"
    OTHERS = "others"
    PAST = "past"
    TASK = "tasks"
    ALL = "all"


class Unknown(StrEnum):
    """Why something could not be seen. Unknown is not absent."""

    NOT_LOOKED = "were not looked at yet"
    UNREADABLE = "could not be read: a host does not answer"
    CONTRADICTED = "are said not to exist, although they did a moment ago or Pulumi's state has them"
    NO_RECORD = "cannot be told apart: the state store does not say which release owns the state"


GONE = frozenset({"destroyed", "destroying", "replaced", "migrated"})
_RELEASE = re.compile(r"(\d{1,9})-([0-9a-z]+)(?:-([0-9a-z]+))?")


@dataclass(frozen=True, order=True)
class Release:
    """One desired version: a generation that only grows, the digest of its spec, and a nonce.

    The nonce tells two attempts at the same version apart: an aborted one's late writes never speak for the next
    (FLINK-41404). What a later run resumes is found by generation and digest, nonce and all.
    """

    generation: int
    digest: str
    nonce: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, (str(self.generation), self.digest, self.nonce)))

    @staticmethod
    def parse(text: str) -> Release | None:
        found = _RELEASE.fullmatch(text)
        return Release(int(found[1]), found[2], found[3] or "") if found else None


@dataclass(frozen=True, order=True)
class Ownership:
    """Which release owns the state since which commit. Numbers only grow; the highest one counts.

    ``previous``: whose state it took over, where the commit says that.
    """

    number: int
    release: Release
    previous: Release | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.number} {self.release}"

    @staticmethod
    def parse(text: str) -> Ownership | None:
        number, _, name = text.partition(" ")
        release = Release.parse(name)
        return Ownership(int(number), release) if number.isdecimal() and release else None


@dataclass(frozen=True)
class DrainMark:
    """One drain of one machine: its id, the object that proves its state as it was before (ETag, epoch seconds), and
    when the boot that was asked had started: a later one knows nothing of it.
    """

    id: str
    etag: str | None = None
    modified: float | None = None
    started_at: float = 0.0


@dataclass(frozen=True)
class Warm:
    """Kept stopped until then (epoch seconds), after its cluster owned the state by this commit and no later one."""

    until: float
    number: int


@dataclass(frozen=True)
class CheckSeen:
    """One health check of one machine, as last reported."""

    name: str
    passing: bool
    output: str = ""


@dataclass(frozen=True)
class ExitSeen:
    """How a machine's last process ended."""

    exit_code: int
    signal: int
    oom_killed: bool
    requested: bool

    @property
    def graceful(self) -> bool:
        """Ended by itself with 0. Fly writes -1 or 0 where no signal ended the process."""
        return self.exit_code == 0 and self.signal in (0, -1) and not self.oom_killed

    def __str__(self) -> str:
        if self.oom_killed:
            return "was killed: out of memory"
        if self.signal not in (0, -1):
            return f"was ended by signal {self.signal}"
        return f"exited with code {self.exit_code}"


@dataclass(frozen=True)
class MachineSeen:
    """One of our machines, as last seen.

    ``started_at``, ``stop_asked_at``, ``exited_at``: of its last boot, in seconds since the epoch by its host's clock,
    0 where there was none. ``readable``: its host answers, so that what is said of it is of now.
    ``serving``: the number of the commit under which its routing was proven, 0 for none; ``owner``: what a commit
    wrote on it. ``registered``: this run asked the proxy to route it. ``touched``: this run started or uncordoned it,
    so its routing has to be proven again. ``drain``, ``state_proof``: what its own release can do. ``draining``: the
    mark of a drain that was asked of it and not taken back. ``secrets_of``: another release's secrets may have been put
    in place of its own. ``approval_until``: epoch seconds, 0 for never. ``app_created``: its app was made for it.
    ``env``: names alone; ``mounts``: ids of volumes. ``differs``: where its config is not the configuration's.
    ``adopted``: `fly deploy` made it; ``was``: the release of ours that it was before a `fly deploy` changed it.
    ``added``: made for a release that served already. ``counts``: of machines by region that were wanted at its
    creation; empty where they were part of the release's digest.
    """

    id: str
    name: str
    release: Release
    region: str
    state: str
    cordoned: bool
    instance_id: str = ""
    private_ip: str = ""
    readable: bool = True
    cutover: Cutover = "handoff"
    serving: int = 0
    owner: Ownership | None = None
    registered: bool = False
    touched: bool = False
    drain: Drain = StopDrain()
    draining: DrainMark | None = None
    state_store: str = ""
    state_proof: StateProof = ManifestProof()
    warm: Warm | None = None
    secrets_of: str = ""
    approval_until: float = 0.0
    app_created: bool = False
    image: str = ""
    added: bool = False
    counts: tuple[tuple[str, int], ...] = ()
    image_digest: str = ""
    env: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    adopted: bool = False
    was: Release | None = None
    checks: tuple[CheckSeen, ...] = ()
    exit: ExitSeen | None = None
    started_at: float = 0.0
    stop_asked_at: float = 0.0
    exited_at: float = 0.0

    @property
    def unjoined(self) -> bool:
        """Added to a release, and not recorded as part of it: it was never routed, and holds nothing of users'."""
        return self.added and not self.serving and self.owner is None

    @property
    def lost(self) -> bool:
        """Ended by itself, and badly: what it had not saved was gone before anybody asked it to save."""
        ended = self.state in ("stopped", "failed") and self.exit is not None
        return ended and self.exit is not None and not self.exit.requested and not self.exit.graceful

    @property
    def asleep(self) -> bool:
        """Stopped by Fly's proxy, or a standby: nothing of it is in memory, and it may wake up unless cordoned."""
        return self.adopted and self.state == "stopped"

    @property
    def must_prove(self) -> bool:
        """Whether something beside its exit can tell that its state is saved."""
        return bool(self.state_store) or self.state_proof.type in ("http", "command")


@dataclass(frozen=True)
class Stranger:
    """A machine in the app that is not ours. ``group``: its process group. ``release``: of the `fly deploy` that made
    it; ``was``: the release of ours that it was before.
    """

    id: str
    name: str
    region: str
    group: str
    release: Release | None = None
    was: Release | None = None


@dataclass(frozen=True)
class TestResult:
    """One test that passed. ``summary``: what it was asked of and what it found, for people. Started: epoch seconds."""

    name: str
    seconds: float
    summary: str = ""
    started_at: float = 0.0


@dataclass(frozen=True)
class Proof:
    """What was proven of one machine's saved state, or why it could not be (``faults``); started: epoch seconds."""

    machine_id: str
    rooms: int = 0
    objects: int = 0
    bytes: int = 0
    faults: tuple[str, ...] = ()
    started_at: float = 0.0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return not self.faults


@dataclass(frozen=True)
class Answer:
    """Who answered users from outside, in one region: ``machine_id`` is empty where the app does not say."""

    region: str
    machine_id: str = ""


@dataclass(frozen=True)
class Observation:
    """Everything known of the world at one moment. A part that was not seen is ``Unknown``, never empty.

    The first part is what the API and the state store show: ``tasks`` are short-lived machines, ``strangers``
    those that are not ours, ``record`` the latest commit in the store,
    ``at`` when it was looked (epoch seconds). The rest is evidence that this run gathered
    itself: ``commit_unsure`` is a commit whose answer was lost, ``reclaimed`` that the owner has taken the next number
    in this run, ``quiesced`` the machines, by id, that this run made quiesce, with the mark of that drain, ``excused``
    those that had died before it and whose hosts took no cordon.
    """

    app_exists: bool | Unknown = Unknown.NOT_LOOKED
    machines: tuple[MachineSeen, ...] | Unknown = Unknown.NOT_LOOKED
    tasks: tuple[MachineSeen, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    record: Ownership | Unknown | None = Unknown.NOT_LOOKED
    at: float = 0.0
    released: bool = False
    stayed_healthy: bool = False
    tests: Mapping[str, TestResult] = field(default_factory=dict)
    owner_checked: bool = False
    rehearsed: bool = False
    commit_unsure: bool = False
    reclaimed: bool = False
    quiesced: Mapping[str, DrainMark] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()
    baked: bool = False
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    answers: tuple[Answer, ...] | Unknown = Unknown.NOT_LOOKED
    secrets_set: bool = False
    secrets_restored: bool = False
    green_seen_again: bool = False
    app_created: bool = False
    app_kept: bool = False

    @property
    def seen(self) -> tuple[MachineSeen, ...]:
        """The machines. Raises ``ValueError`` where they are unknown: nothing may be decided then."""
        if isinstance(self.machines, Unknown):
            raise ValueError(f"the machines {self.machines}")
        return self.machines

    def with_machines(self, *changed: MachineSeen) -> Observation:
        """The same world after ``changed`` were looked at again (new ones are added)."""
        by_id = {machine.id: machine for machine in self.seen} | {machine.id: machine for machine in changed}
        return replace(self, machines=tuple(m for m in by_id.values() if m.state not in GONE))

    def without_machines(self, *ids: str) -> Observation:
        left = tuple(m for m in self.seen if m.id not in ids)
        return replace(self, machines=left, tasks=tuple(m for m in self.tasks if m.id not in ids))

    def without_evidence(self) -> Observation:
        """What another run may have changed meanwhile has to be seen, and proven, again."""
        return Observation(
            app_exists=self.app_exists,
            machines=self.machines,
            tasks=self.tasks,
            strangers=self.strangers,
            released=self.released,
            app_created=self.app_created,
        )

    def with_proofs(self, *proofs: Proof) -> Observation:
        return replace(self, proofs={**self.proofs, **{proof.machine_id: proof for proof in proofs}})


@dataclass(frozen=True)
class Cluster:
    """The machines of one release, in all regions."""

    release: Release
    machines: tuple[MachineSeen, ...]

    @property
    def regions(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for machine in self.machines:
            counts[machine.region] = counts.get(machine.region, 0) + 1
        return dict(sorted(counts.items()))
