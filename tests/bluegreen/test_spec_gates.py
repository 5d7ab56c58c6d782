"""What a spec's gates must fulfil together, and which changes of them touch machines."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers.bluegreen.journal import environment_of, identify, metadata_of
from providers.bluegreen.model import Release
from providers.bluegreen.scene import Intent
from tests.bluegreen.worlds import spec

HTTP = {"type": "http", "name": "answers", "path": "/version"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"drain": {"type": "request", "port": 8080}}, "drain: port 8080 is a service's"),
        ({"rehearsal": {"port": 8080}}, "rehearsal: port 8080 is a service's"),
        ({"tests": [HTTP, HTTP]}, 'two are named "answers"'),
        ({"tests": [HTTP | {"deadline": "10m"}]}, "raise deadlines.verify"),
        ({"rehearsal": {"deadline": "10m"}}, "raise deadlines.verify"),
        ({"release_command": {"argv": ["x"], "deadline": "10m"}}, "raise deadlines.create_new"),
        ({"min_healthy": "5m"}, "min_healthy: 5m leaves nothing"),
        (
            {"state_store": None, "state_proof": {"type": "marker", "key": "saved"}},
            "no state_store to look for it in",
        ),
        ({"state_store": None, "drain": {"type": "signal"}}, "drain: nothing but a proof"),
        ({"drain": {"type": "signal", "signal": "SIGHUP"}}, "both SIGHUP"),
        ({"drain": {"type": "signal", "signal": "SIGUSR2"}}, "drain.signal.signal"),
        ({"tests": [HTTP | {"name": "../x"}]}, "a test's name"),
        ({"tests": [HTTP | {"expect": {"matches": "("}}]}, "is not a regular expression"),
        ({"tests": [{"type": "command", "name": "smoke", "argv": []}]}, "at least 1 item"),
        ({"tests": [{"type": "shell", "name": "smoke"}]}, "tests.0"),
    ],
)
def test_gates_that_could_never_open_or_open_too_much_are_refused(changes: dict[str, Any], told: str) -> None:
    """Wrong configuration is refused before any call, with the key that is to be changed."""
    with pytest.raises(ValidationError) as refused:
        spec(**changes)
    errors = refused.value.errors(include_url=False, include_input=False)
    assert told in " ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}" for error in errors)


@pytest.mark.parametrize(
    "changes",
    [
        {"tests": [HTTP]},
        {"min_healthy": "10s"},
        {"rehearsal": {}},
        {"bake": "1m"},
        {"keep_warm": "1h"},
        {"approval": "manual"},
        {"approved_release": "2-3fa9c1d20e-7c41"},
        {"tunnel": "direct"},
        {"release_command": {"argv": ["x"]}},
        {"keep_failed_green": True},
        {"deadlines": {"verify": "9m"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_deployer_does_touches_no_machine(changes: dict[str, Any]) -> None:
    """Tests, times and tunnels are not part of what machines are made of."""
    assert spec(**changes).digest == spec().digest


def test_how_a_release_drains_and_proves_is_part_of_it() -> None:
    """It is recorded on its machines, so a change of it is a rollout; and what is default changes nothing."""
    assert spec(drain={"type": "request"}).digest != spec().digest
    assert spec(state_proof={"type": "marker", "key": "saved"}).digest != spec().digest
    assert spec(drain={"type": "stop"}, state_proof={"type": "manifest"}).digest == spec().digest


@pytest.mark.parametrize(
    ("drain", "proof"),
    [
        ({"type": "stop"}, {"type": "manifest"}),
        (
            {"type": "request", "port": 9000, "path": "/quiesce"},
            {"type": "marker", "key": "saved/{machine_id}"},
        ),
        ({"type": "signal", "resume_signal": "SIGALRM"}, {"type": "manifest"}),
    ],
)
def test_a_machine_says_how_it_drains_and_what_proves_it(drain, proof) -> None:
    """What is written at its creation is read back as it was, by whoever comes next."""
    wanted = spec(drain=drain, state_proof=proof)
    intent = Intent("deploy", wanted, Release(2, wanted.digest), None, "handoff")
    entry = identify(metadata_of(intent, app_created=False), "rooms")
    assert entry
    assert entry.drain == wanted.drain
    assert entry.state_proof == wanted.state_proof


def test_secrets_of_tests_are_in_no_metadata_and_no_machine() -> None:
    """Only the kind of a proof is recorded; its command, url and headers may hold secrets."""
    proof = {"type": "http", "url": "http://canary-host/x", "headers": {"authorization": "canary-secret"}}
    tests = [{"type": "command", "name": "smoke", "argv": ["x"], "env": {"TOKEN": "canary-secret"}}]
    wanted = spec(state_proof=proof, tests=tests)
    intent = Intent("deploy", wanted, Release(2, wanted.digest), None, "handoff")
    told = str(metadata_of(intent, app_created=False)) + str(environment_of(intent)) + repr(wanted)
    assert "canary-secret" not in told
    assert "canary-host" not in str(metadata_of(intent, app_created=False))


@pytest.mark.parametrize("text", ["", "{", '{"type": "nonsense"}', "\x1b[2J", "9" * 5000])
def test_metadata_that_anybody_may_have_written_breaks_nothing(text: str) -> None:
    """A machine whose entries cannot be read drains as Fly does it; a mark that cannot be read is a mark."""
    keys = ("drain", "draining", "state_proof", "serving", "owner", "warm", "approval_until", "task")
    metadata = {f"bluegreen_{key}": text for key in keys}
    entry = identify(metadata | {"bluegreen_component": "rooms", "bluegreen_release": "2-abc"}, "rooms")
    assert entry
    assert entry.drain.type == "stop"
    assert entry.serving == 0
    assert bool(entry.draining) is bool(text)
