"""The checker of the promises: each one is silent about a world that keeps it, and names a world that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from providers.bluegreen.model import Cluster, Phase, Release
from providers.bluegreen.outcome import Ending, Failure, Outcome
from tests.bluegreen.promises import ENDINGS, STEPS, Broken, End, Promises, Record, Rules
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import serving, spec

BLUE, GREEN, OTHER = "1-aa", "2-bb", "3-cc"
UP: Record = {"state": "started", "cordoned": False, "healthy": True}
CORDONED = UP | {"cordoned": True}


def machine(name: str, release: str = BLUE, **state: Any) -> Record:
    return {"kind": "machine", "machine_id": name, "name": name, "release": release} | CORDONED | state


def routes(*names: str) -> Record:
    return {"kind": "routes", "app": "rooms", "machine_ids": list(names)}


def request(method: str = "POST", machine_id: str | None = None, status: int = 200) -> Record:
    return {"kind": "request", "method": method, "path": "/x", "machine_id": machine_id, "status": status}


def app(name: str, state: str) -> Record:
    return {"kind": "app", "machine_id": name, "state": state}


def said(text: str) -> Record:
    return {"kind": "said", "text": text}


def commit(release: str) -> Record:
    return {"kind": "commit", "key": "owners/0000000001.json", "release": release}


def cluster(release: str, **state: Any) -> list[Record]:
    number = release[0]
    return [machine(f"{region}{number}", release, **state) for region in ("ams", "iad")]


SERVING = [*cluster(BLUE, **UP), routes("ams1", "iad1")]
VERIFIED = [*SERVING, *cluster(GREEN)]
CANARY = "canary-5f1c"
RULES = Rules(saved=lambda: {"ams1"}, canaries=frozenset({CANARY}))

BREAKS: dict[str, list[Record]] = {
    "one cluster is routed": [*VERIFIED, routes("ams1", "ams2")],
    "the window opens when green is verified": [
        *SERVING,
        *cluster(GREEN, healthy=False),
        machine("ams1", **CORDONED),
    ],
    "a whole cluster is routed outside the window": [*SERVING, routes("ams1")],
    "a window is closed before anything is created": [
        *SERVING,
        commit(BLUE),
        *cluster(GREEN),
        machine("ams1", **CORDONED),
        routes("iad1"),
        machine("ams3", OTHER),
    ],
    "one cluster accepts edits": [
        *VERIFIED,
        app("ams1", "serving"),
        app("ams2", "serving"),
        *cluster(BLUE, **CORDONED),
        routes("ams2"),
    ],
    "what was routed is saved before it is destroyed": [
        *VERIFIED,
        machine("iad1", state="stopped"),
        machine("iad1", state="destroying"),
    ],
    "nothing is destroyed while it is routed": [*SERVING, machine("ams1", state="destroyed")],
    "green stays after its commit": [*VERIFIED, commit(GREEN), machine("ams2", GREEN, state="destroying")],
    "no more machines than blue, green and one": [*VERIFIED, *cluster(OTHER)],
    "strangers are left alone": [machine("db", release=""), request("GET", "db")],
    "calls stay inside the rate limits": [request(status=429)],
    "no secret is shown": [
        {"kind": "sent", "method": "POST", "path": "/x", "body": f'{{"env": "{CANARY}"}}'},
    ],
}
KEEPS: dict[str, list[Record]] = {
    "one cluster is routed": [*VERIFIED, *cluster(BLUE, **CORDONED), routes(), routes("ams2", "iad2")],
    "the window opens when green is verified": [*VERIFIED, machine("ams1", **CORDONED)],
    "a whole cluster is routed outside the window": [*VERIFIED, machine("iad1", **CORDONED), routes("ams1")],
    "a window is closed before anything is created": [
        *SERVING,
        commit(BLUE),
        *cluster(GREEN),
        machine("ams1", **CORDONED),
        routes("iad1"),
        machine("ams1", **UP),
        routes("ams1", "iad1"),
        machine("ams3", OTHER),
    ],
    "one cluster accepts edits": [
        *VERIFIED,
        app("ams1", "serving"),
        app("ams2", "serving"),
        machine("ams1", state="stopped"),
        routes("ams2"),
    ],
    "what was routed is saved before it is destroyed": [
        *VERIFIED,
        machine("ams1", state="stopped"),
        machine("ams1", state="destroying"),
        machine("iad2", GREEN, state="destroyed"),
    ],
    "nothing is destroyed while it is routed": [*VERIFIED, machine("ams2", GREEN, state="destroyed")],
    "green stays after its commit": [
        *VERIFIED,
        commit(GREEN),
        commit(BLUE),
        machine("ams2", GREEN, state="destroying"),
    ],
    "no more machines than blue, green and one": [*VERIFIED, machine("rooms-task-g2-smoke", GREEN)],
    "strangers are left alone": [machine("db", release=""), request("GET"), request("GET", "unheard-of")],
    "calls stay inside the rate limits": [request(status=409)],
    "no secret is shown": [said("a line"), {"kind": "sent", "method": "POST", "path": "/x", "body": "{}"}],
}


@pytest.mark.parametrize("name", STEPS)
def test_a_record_that_breaks_a_promise_is_named(name: str) -> None:
    """Each promise of a step is broken by a world made for it, at its last record, and by no other of that promise."""
    promises = Promises(RULES)
    promises.begin(machines=2)
    promises.read_all(BREAKS[name][:-1])
    promises.check()
    promises.read(BREAKS[name][-1])
    with pytest.raises(Broken, match=f"(?m)^{name}: "):
        promises.check()


@pytest.mark.parametrize("mark", [{"serving": "2"}, {"owner": f"2 {GREEN}"}], ids=min)
def test_a_mark_on_a_machine_is_a_commit_where_no_store_has_one(mark: Record) -> None:
    """Clusters that overlap, and those without a store, are committed so: what it names stays."""
    promises = Promises(Rules(handoff=False))
    promises.begin(machines=2)
    marked, gone = machine("iad2", GREEN, **UP), machine("ams2", GREEN, state="destroying")
    promises.read_all([*VERIFIED, marked | mark, marked | mark, machine("ams1", cordoned=True) | UP, gone])
    with pytest.raises(Broken, match="green stays after its commit: ams2 owns the state"):
        promises.check()


@pytest.mark.parametrize("name", STEPS)
def test_a_world_that_keeps_a_promise_is_let_be(name: str) -> None:
    """The nearest world that keeps the promise breaks none at all."""
    promises = Promises(RULES)
    promises.begin(machines=2)
    promises.read_all(KEEPS[name])
    promises.check()


def outcome(ending: Ending, *, owner: str = BLUE, claims: str = BLUE, why: str = "late") -> Outcome:
    release = Release.parse(claims)
    assert release is not None
    machines = tuple(
        seen.__class__(**{**vars(seen), "name": f"{seen.region}{claims[0]}"}) for seen in serving(spec(), 1)
    )
    failure = Failure(Phase.VERIFY, "test", (why,))
    return Outcome(ending, Cluster(release, machines), Release.parse(owner), failure)


COMMITTED = [*SERVING, commit(BLUE)]
ENDED_WRONG: dict[str, tuple[list[Record], End]] = {
    "the claim is what is routed": (COMMITTED, End(outcome(Ending.ABORTED, claims=GREEN))),
    "the owner is what the store says": (COMMITTED, End(outcome(Ending.ABORTED, owner=GREEN))),
    "unknown destroys nothing": (
        [
            *VERIFIED,
            machine("ams1", state="stopped"),
            said("verify failed: x"),
            machine("ams1", state="destroyed"),
        ],
        End(outcome(Ending.UNKNOWN)),
    ),
    "a named ending leaves a whole cluster": ([*COMMITTED, routes("ams1")], End(outcome(Ending.ABORTED))),
    "success leaves nothing else": ([*COMMITTED, *cluster(GREEN)], End(outcome(Ending.DEPLOYED))),
    "unchanged changes nothing": ([*COMMITTED, request()], End(outcome(Ending.UNCHANGED))),
    "no decision changes nothing": ([*COMMITTED, request()], End(None)),
    "no edit is lost": (COMMITTED, End(None, lost=["edit 1"])),
    "no lease is left": (COMMITTED, End(outcome(Ending.ABORTED), leased=["ams1"])),
    "no secret is in the outcome": (COMMITTED, End(outcome(Ending.ABORTED, why=f"got {CANARY}"))),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_that_breaks_a_promise_is_named(name: str) -> None:
    """Each promise of an ending is broken by an ending made for it."""
    records, end = ENDED_WRONG[name]
    promises = Promises(RULES)
    promises.begin(machines=2)
    promises.read_all(records)
    with pytest.raises(Broken, match=f"(?m)^{name}: "):
        promises.end(end)


def test_right_endings_are_let_be() -> None:
    """Nothing is said of an ending that keeps all, nor of what a killed run may leave."""
    for end in (
        End(outcome(Ending.UNCHANGED)),
        End(outcome(Ending.ABORTED)),
        End(None),
        End(None, leased=["ams1"], killed=True),
    ):
        promises = Promises(RULES)
        promises.begin(machines=2)
        promises.read_all(COMMITTED)
        promises.end(end)


def test_a_promise_that_does_not_apply_is_left_out_by_its_name() -> None:
    """Leaving one out silences it alone, and a name that is none is refused."""
    promises = Promises(RULES, without=["calls stay inside the rate limits"])
    promises.read(request(status=429))
    promises.check()
    with pytest.raises(AssertionError, match="no such promises"):
        Promises(RULES, without=["calls stay inside"])


def test_a_whole_deployment_keeps_every_promise() -> None:
    """A first deploy, an update under edits, and a run that changes nothing; the checker has heard all of it."""

    async def test(kit: Kit) -> None:
        for image in (V1, V2, V2):
            kit.end(await kit.deploy(spec(image=image)))
            kit.edit_all()
        told = kit.promises.told
        assert len(told.owners) == 2
        assert len(told.ever_routed) == 4
        assert set(told.apps.values()) == {"saved", "serving"}
        assert kit.lost() == set()

    simulate(test)
