"""A small history as the simulator writes it, and the logs and outputs that go with it. Seconds count from EPOCH."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from demo.timeline import Evidence, Rollout
from examples.players import Ack, Audit, Log, audit

EPOCH = 1_800_000_000.0
V1, V2 = "1-aaaa-1", "2-bbbb-2"
LIVES = {
    # name: (release, seconds of launch, healthy, uncordon, cordon, stop, exit, destroy)
    "rooms-g1-ams-1": (V1, -8.0, -7.0, -6.5, 2.0, 2.35, 2.4, 3.0),
    "rooms-g1-iad-1": (V1, -8.0, -7.0, -6.5, 2.0, 2.35, 2.5, 3.0),
    "rooms-g2-ams-1": (V2, 0.1, 1.0, 2.6, None, None, None, None),
    "rooms-g2-iad-1": (V2, 0.2, 1.1, 2.6, None, None, None, None),
}
DELAY = 0.2


@dataclass
class History:
    """Collects records in any order; `records` gives them in the order of their times."""

    _records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def records(self) -> list[dict[str, Any]]:
        ordered = sorted(self._records, key=lambda record: record["t"])
        return [record | {"n": number} for number, record in enumerate(ordered, start=1)]

    def add(self, at: float, kind: str, **fields: Any) -> None:
        self._records.append({"t": EPOCH + at, "kind": kind, **fields})

    def machine(self, at: float, name: str, state: str, **flags: bool) -> None:
        known = {"cordoned": False, "registered": False, "healthy": False} | flags
        region, release = name.split("-")[2], LIVES[name][0]
        self.add(
            at,
            "machine",
            machine_id=f"id-{name}",
            name=name,
            region=region,
            release=release,
            state=state,
            **known,
        )

    def live(self, name: str) -> None:
        """A whole life, as far as LIVES goes."""
        _, launch, healthy, uncordon, cordon, stop, end, destroy = LIVES[name]
        self.machine(launch, name, "created", cordoned=True)
        self.machine(launch + 0.01, name, "starting", cordoned=True)
        self.machine(launch + 0.02, name, "started", cordoned=True)
        self.machine(healthy, name, "started", cordoned=True, healthy=True)
        self.machine(uncordon, name, "started", registered=True, healthy=True)
        if cordon is None or stop is None or end is None or destroy is None:
            return
        self.machine(cordon, name, "started", registered=True, cordoned=True, healthy=True)
        self.machine(stop, name, "stopping", registered=True, cordoned=True)
        self.machine(end, name, "stopped", registered=True, cordoned=True)
        self.machine(destroy, name, "destroying", registered=True, cordoned=True)
        self.machine(destroy, name, "destroyed", registered=True, cordoned=True)

    def routes(self, at: float, *names: str) -> None:
        self.add(at, "routes", app="rooms", machine_ids=[f"id-{name}" for name in names])

    def socket(self, conn: int, name: str, opened: float, closed: float | None) -> None:
        where = {"conn": conn, "machine_id": f"id-{name}"}
        self.add(opened, "route", **where, outcome="routed", websocket=True, path="/rooms/room-01")
        if closed is not None:
            self.add(closed, "closed", **where, seconds=closed - opened)

    def request(self, conn: int, name: str, at: float) -> None:
        where = {"conn": conn, "machine_id": f"id-{name}"}
        self.add(at, "route", **where, outcome="routed", websocket=False, path="/version")
        self.add(at + 0.01, "closed", **where, seconds=0.01)


def tell_overlap() -> History:
    """As a handoff, but the two of v2 are routed 1.3 s earlier, while those of v1 still serve."""
    history = tell_handoff()
    history.routes(2.6 + DELAY - 1.3, *LIVES)
    return history


def tell_handoff() -> History:
    """Two machines of v1 are followed by two of v2; one player's socket moves along."""
    history = History()
    for name in LIVES:
        history.live(name)
    blue, green = ([name for name in LIVES if f"-g{number}-" in name] for number in (1, 2))
    history.routes(-6.5 + DELAY, *blue)
    history.routes(2.0 + DELAY)
    history.routes(2.6 + DELAY, *green)
    history.request(1, blue[0], -5.0)
    history.socket(2, blue[0], -4.0, 2.15)
    history.socket(3, green[1], 2.9, None)
    return history


def make_ack(edit: int, at: float, release: str, player: str = "ada") -> Ack:
    monotonic = 1000.0 + at
    return Ack(
        player=player,
        room="room-01",
        edit=f"{player}-{edit}",
        place=edit,
        machine_id=f"of-{release}",
        release=release,
        version="v1" if release == V1 else "v2",
        session=1 if release == V1 else 2,
        attempts=1,
        wanted=monotonic - 0.1,
        sent=monotonic - 0.05,
        acked=monotonic,
        sent_at=EPOCH + at - 0.05,
        acked_at=EPOCH + at,
    )


def make_log(*acks: Ack) -> Log:
    return Log(acks=acks, sessions=(), unacked=(), stopped=2000.0)


def make_rollouts(window: float | None = 0.9) -> tuple[Rollout, Rollout]:
    phases = [
        ("create-new", 0.0, 0.9),
        ("verify", 0.9, 1.1),
        ("drain-old", 2.0, 0.5),
        ("switch-routes", 2.5, 0.4),
    ]
    shown = [{"phase": name, "started_at": EPOCH + at, "seconds": seconds} for name, at, seconds in phases]
    first = {"release": V1, "phases": [{"phase": "create-new", "started_at": EPOCH - 8, "seconds": 1.0}]}
    proven = {"rooms": 1, "objects": 1, "bytes": 4096}
    second = {
        "release": V2,
        "phases": shown,
        "test_results": [
            {"name": "version", "started_at": EPOCH + 1.2, "seconds": 0.02, "summary": "http"},
            {"name": "smoke", "started_at": EPOCH + 1.3, "seconds": 0.6, "summary": "command"},
        ],
        # Pulumi leaves out what is None, and nothing is proven where clusters overlap.
        "proven": proven | ({"started_at": EPOCH + 2.2, "seconds": 0.1} if window else {}),
    } | ({"handoff_window_seconds": window} if window else {})
    return Rollout("v1", EPOCH - 10, EPOCH - 6, first), Rollout("v2", EPOCH - 1, EPOCH + 4, second)


def make_evidence(
    history: History | None = None, *, log: Log | None = None, lost: int = 0, window: float | None = 0.9
) -> Evidence:
    """A run in which the last `lost` acknowledged edits are not in the room."""
    log = log or make_log(make_ack(1, -3.0, V1), make_ack(2, 1.9, V1), make_ack(3, 3.0, V2))
    kept = [ack.edit for ack in log.acks[: len(log.acks) - lost]]
    verdict: Audit = audit(log, {"room-01": kept})
    return Evidence(
        records=(history or (tell_handoff() if window else tell_overlap())).records,
        log=log,
        guests=make_log(),
        audit=verdict,
        rollouts=make_rollouts(window),
        app="rooms",
        cutover="overlap" if window is None else "handoff",
        players=1,
    )
