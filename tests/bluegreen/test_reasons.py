"""Why the next run would do something, what becomes of which machine, and all of it as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.bluegreen.fates import fates
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import DrainMark, MachineSeen, Observation, Warm
from providers.bluegreen.plan import next_step, rollout
from providers.bluegreen.plan_json import plan_json
from providers.bluegreen.reasons import reasons
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from tests.bluegreen.small_worlds import halves, pairs, small, triples
from tests.bluegreen.worlds import CLEAN_EXIT, cluster, serving, spec, world

V1, V2 = spec(), spec(image="registry.fly.io/rooms:v2")
ENDED: dict[str, Any] = {"state": "stopped", "cordoned": True, "exit": CLEAN_EXIT}


def scene(wanted: Spec, *clusters: tuple[MachineSeen, ...], **more: Any) -> Scene:
    observation = replace(world(*clusters), at=20.0)
    return Scene(resolve(wanted, observation, **more), observation)


def one_changed(of: tuple[MachineSeen, ...], **changes: Any) -> tuple[MachineSeen, ...]:
    return (replace(of[0], **changes), *of[1:])


CASES = {
    "nothing is deployed yet": scene(V1),
    "the configuration is not that of release 1-": scene(V2, serving(V1, 1)),
    "was left before its commit point, 1 of 2 machines made": scene(V2, serving(V1, 1), cluster(V2, 2)[:1]),
    "is verified and waits for approval": scene(
        V2 := spec(image="registry.fly.io/rooms:v2", approval="manual"),
        serving(V1, 1),
        cluster(V2, 2, approval_until=30.0),
    ),
    "which is kept warm": scene(V1, serving(V1, 1, **ENDED, warm=Warm(30.0, 1)), serving(V2, 2)),
    "has 1 machines, wanted are": scene(V1, serving(V1, 1)[:1]),
    "drift: machine 1ams1 (rooms-g1-ams-1) is cordoned": scene(
        V1, one_changed(serving(V1, 1), cordoned=True)
    ),
    "drift: machine 1ams1 (rooms-g1-ams-1) is stopped": scene(
        V1, one_changed(serving(V1, 1), state="stopped")
    ),
    "was asked to drain, and not told to resume": scene(
        V1, one_changed(serving(V1, 1), draining=DrainMark("2-x.0"))
    ),
    "expired: release 1-": scene(V2, serving(V1, 1, **ENDED, warm=Warm(10.0, 1)), serving(V2, 2)),
    "left over: 2 machines of release 2-": scene(V1, serving(V1, 1), cluster(V2, 2)),
    "which served before, not retired yet": scene(V2, serving(V1, 1, **ENDED), serving(V2, 2)),
    "is to be destroyed": scene(V1, serving(V1, 1), goal="destroy"),
}


@pytest.mark.parametrize("told", CASES)
def test_each_reason_for_a_change_is_told(told: str) -> None:
    """Unfinished, adrift, expired, left over, or simply another configuration."""
    assert any(told in reason for reason in reasons(CASES[told])), reasons(CASES[told])


def worlds() -> list[tuple[Spec, Observation]]:
    one, two, three = (small("handoff", version) for version in (1, 2, 3))
    both = [small("handoff", version, machines=2) for version in (1, 2)]
    return [
        *((two, seen) for seen in pairs(one, two)),
        *((both[1], seen) for seen in halves(*both)),
        *((three, seen) for seen in triples(one, two, three)),
    ]


def test_there_is_a_reason_exactly_where_there_is_a_step() -> None:
    """In every small world; no machine is both kept and destroyed, and the JSON holds plain values alone."""
    for wanted, seen in worlds():
        this = Scene(resolve(wanted, seen), seen)
        steps = rollout(this)
        assert bool(reasons(this)) == bool(steps) == (next_step(this) is not None)
        told = json.loads(json.dumps(plan_json(this, steps)))
        going = {name for names in told["machines"]["destroyed"].values() for name in names}
        kept = {
            name for part in ("kept_warm", "untouched") for n in told["machines"][part].values() for name in n
        }
        assert not going & kept


def test_the_plan_says_what_becomes_of_each_machine() -> None:
    """Created, drained, and destroyed; kept where the spec keeps them warm."""
    this = scene(V2, serving(V1, 1))
    told = fates(this, rollout(this))
    assert told.created == {"ams": ["rooms-g2-ams-1"], "iad": ["rooms-g2-iad-1"]}
    assert told.drained == told.destroyed == {"ams": ["rooms-g1-ams-1"], "iad": ["rooms-g1-iad-1"]}
    keeps = scene(spec(image="registry.fly.io/rooms:v2", keep_warm="1h"), serving(V1, 1))
    told = fates(keeps, rollout(keeps))
    assert told.kept_warm == told.drained
    assert told.destroyed == {}
    assert Do.DESTROY not in {step.do for step in rollout(keeps)}


def test_the_json_names_phases_deadlines_gates_and_the_window() -> None:
    """What CI may want to judge a plan by."""
    this = scene(V2, serving(V1, 1))
    told = plan_json(this, rollout(this))
    assert [phase["phase"] for phase in told["phases"]][:2] == ["create-new", "verify"]
    assert [step["commit"] for phase in told["phases"] for step in phase["steps"]].count(True) == 1
    assert told["handoff_window"] == {"at_most_s": 480.0}
    done = scene(V2, serving(V2, 2))
    assert plan_json(done, rollout(done))["phases"] == []
