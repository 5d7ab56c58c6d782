"""Pulumi's inputs as a spec: refusals that help, unknown values, numbers as floats, secrets."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.rpc import UNKNOWN

from providers import inputs
from providers.bluegreen import durations
from providers.bluegreen.spec import Spec
from providers.resource import BlueGreenFlyAppProvider

GOOD = {
    "app": "rooms",
    "image": "registry.fly.io/rooms:v1",
    "regions": {"ams": 2.0, "iad": 1.0},
    "services": [{"internal_port": 8080.0, "checks": [{"type": "http", "path": "/health"}]}],
}


def only_fault(**changes) -> inputs.Fault:
    (fault,) = inputs.faults(GOOD | changes)
    return fault


def test_pulumis_numbers_are_accepted_as_the_integers_they_are() -> None:
    """Numbers arrive as floats; machine counts and ports are whole."""
    assert inputs.parse(GOOD).regions == {"ams": 2, "iad": 1}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"regions": {"amsterdam": 1}}, "regions.amsterdam", "not a region code"),
        ({"regions": {"ams": 0}}, "regions.ams", "greater than or equal to 1"),
        ({"regions": {}}, "regions", "at least 1"),
        ({"app": "My App"}, "app", "not an app name"),
        ({"cutover": "yolo"}, "cutover", "'handoff' or 'overlap'"),
        ({"cutover": "overlap"}, "routing_probe", "machine_key"),
        ({"stop_config": {"timeout": "10m"}}, "stop_config", "300"),
        ({"deadlines": {"verify": "soon"}}, "deadlines.verify", "not a duration"),
        ({"state_store": {"prefix": "x/"}}, "state_store.bucket", "required"),
        ({"state_store": {"bucket": "ok-bucket", "prefix": "x"}}, "state_store.prefix", "ends with a slash"),
        ({"services": [{"internal_port": 8080}]}, "services", "no health check"),
        ({"services": [{"internal_port": 0}]}, "services.0.internal_port", "greater than or equal to 1"),
        ({"servces": []}, None, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_key_is_named_with_what_is_wrong_and_an_example(changes, key, said) -> None:
    """Every refusal says where, what, and shows a value that works; keys that are not ours are not looked at."""
    if key is None:
        assert inputs.faults(GOOD | changes) == []
        return
    fault = only_fault(**changes)
    assert fault.key == key
    assert said in fault.reason
    assert "an example that works" in fault.reason


def test_every_example_works() -> None:
    """The examples that refusals show are themselves accepted, all together."""
    assert inputs.faults(inputs.EXAMPLES) == []
    assert set(inputs.EXAMPLES) == set(Spec.model_fields)


def test_a_secret_is_not_shown_by_a_refusal() -> None:
    """Neither the fault nor the spec's text holds a secret's value."""
    fault = only_fault(secret_env={"KEY": ["canary-91b2"]})
    assert "canary" not in fault.reason
    assert "canary" not in repr(inputs.parse(GOOD | {"secret_env": {"KEY": "canary-91b2"}}))


def test_unknown_values_are_neither_refused_nor_trusted() -> None:
    """An image that another resource will build is unknown at preview: the rest is still checked."""
    props = GOOD | {"image": UNKNOWN, "env": {"A": {"deep": UNKNOWN}}}
    assert inputs.unknown_keys(props) == ["image", "env"]
    assert inputs.faults(props) == []
    assert inputs.faults(props | {"services": UNKNOWN, "cutover": "overlap"}) == []
    assert [fault.key for fault in inputs.faults(props | {"regions": {}})] == ["regions"]


def test_secrets_that_change_are_named_with_what_blue_had() -> None:
    """Changed, new and removed secrets, and nothing of those that stay."""
    old = inputs.parse(GOOD | {"secret_env": {"SAME": "s", "CHANGED": "old", "GONE": "g"}})
    new = inputs.parse(GOOD | {"secret_env": {"SAME": "s", "CHANGED": "new", "ADDED": "a"}})
    before = {
        name: value and value.get_secret_value() for name, value in inputs.changed_secrets(old, new).items()
    }
    assert before == {"CHANGED": "old", "GONE": "g", "ADDED": None}


def test_the_digest_changes_with_a_secret_and_does_not_contain_it() -> None:
    """A rotated secret is a new release."""
    digests = {inputs.parse(GOOD | {"secret_env": {"KEY": value}}).digest for value in ("a", "b")}
    assert len(digests) == 2


def test_the_provider_is_pickled_by_reference() -> None:
    """State files hold the import path and nothing else: code edits make no diff, and the path is stable for ever."""
    pickled = pickle.dumps(BlueGreenFlyAppProvider())
    assert b"providers.resource" in pickled
    assert len(pickled) < 120


@given(st.floats(min_value=0.001, max_value=100_000))
def test_durations_are_written_as_they_are_read(duration_s: float) -> None:
    """Go strings survive the round trip, to the millisecond below a second and to six digits above."""
    assert durations.seconds(durations.text(duration_s)) == pytest.approx(duration_s, rel=1e-5, abs=6e-4)


@given(
    st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=5)
)
def test_any_value_is_refused_or_accepted_and_never_breaks(value) -> None:
    """Whatever is given for a key, the answer is a list of faults that can be written as JSON."""
    for key in inputs.EXAMPLES:
        json.dumps([fault.reason for fault in inputs.faults(GOOD | {key: value})])


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"drain": {"type": "request", "path": "drain"}}, "drain.path"),
        ({"drain": {"type": "later"}}, "drain"),
        ({"tests": [{"type": "http", "name": "answers"}]}, "tests.0.path"),
        ({"tests": [{"name": "answers"}]}, "tests.0"),
        ({"state_proof": {"type": "command"}}, "state_proof.argv"),
    ],
)
def test_a_part_that_can_be_of_several_types_is_named_as_it_is_written(changes, key) -> None:
    """The key of a fault is the path that the user wrote, without the type in its middle."""
    assert only_fault(**changes).key == key


@pytest.mark.parametrize("key", ["app", "api_url", "state_store"])
def test_where_the_world_would_have_to_be_guessed_nothing_is_planned(key: str) -> None:
    """Which app, whose API, and which store to look at; any other value may be known only later, at any depth."""
    assert inputs.parse_known(GOOD | {key: UNKNOWN}) is None
    planned = inputs.parse_known(GOOD | {"image": UNKNOWN, "env": {"A": UNKNOWN, "B": "b"}})
    assert planned
    assert planned.regions == {"ams": 2, "iad": 1}
    assert planned.env["B"] == "b"
