"""Promises about bad input: it gets the API's own error shape, and never a traceback."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.durations import parse_duration
from tests.simulator.api_kit import SERVICE, V1, Kit, play

MIB = 1024 * 1024
PATHS = [
    "",
    "/{id}",
    "/{id}/stop",
    "/{id}/signal",
    "/{id}/lease",
    "/{id}/exec",
    "/{id}/restart",
    "/{id}/metadata/k",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CONFIG_FIELDS = [
    "image", "env", "init", "guest", "metadata", "mounts", "services", "checks", "files", "restart",
    "auto_destroy", "stop_config", "dns", "processes", "standbys",
]  # fmt: skip
BODY_FIELDS = [
    "config", "name", "region", "skip_launch", "skip_service_registration", "lease_ttl", "current_version",
    "signal", "timeout", "ttl", "description", "command", "cmd", "value", "metadata", "force_stop",
]  # fmt: skip
SERVICE_FIELDS = ["internal_port", "protocol", "ports", "concurrency", "checks"]
CHECK_FIELDS = ["type", "port", "interval", "timeout", "grace_period", "method", "path", "headers"]


def spoil(fields: list[str], whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good object with any of its fields replaced by anything."""
    return st.dictionaries(st.sampled_from(fields), VALUES, max_size=3).map(lambda wrong: whole | wrong)


SPOILED_CHECKS = spoil(CHECK_FIELDS, SERVICE["checks"][0])
SPOILED_SERVICES = SPOILED_CHECKS.flatmap(lambda check: spoil(SERVICE_FIELDS, SERVICE | {"checks": [check]}))
SPOILED_CONFIGS = SPOILED_SERVICES.flatmap(
    lambda service: spoil(CONFIG_FIELDS, {"image": V1, "services": [service]})
)
BODIES = SPOILED_CONFIGS.flatmap(lambda config: spoil(BODY_FIELDS, {"config": config, "skip_launch": False}))


def assert_well_answered(response: httpx.Response) -> None:
    """Success, or a client error in the API's shape."""
    assert response.status_code < 500, response.text
    assert response.headers["fly-request-id"]
    if response.status_code >= 400:
        assert response.json().keys() == {"error", "status"}
        assert "Traceback" not in response.text


@given(body=BODIES | VALUES, path=st.sampled_from(PATHS))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_answered(body: Any, path: str) -> None:
    """Random JSON in any call never gives a 5xx, and the platform goes on to work."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"services": [SERVICE]})
        assert_well_answered(await kit.call("POST", path.replace("{id}", machine_id), json=body))
        listed = await kit.call("GET")
        assert listed.status_code == 200
        for machine in listed.json():
            await kit.call("GET", f"/{machine['id']}/wait", params={"state": "settled", "timeout": 60})

    play(story)


@given(raw=st.binary(max_size=64))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_answered(raw: bytes) -> None:
    """Random bytes as a body never give a 5xx."""

    async def story(kit: Kit) -> None:
        assert_well_answered(await kit.call("POST", content=raw))
        assert_well_answered(await kit.client.post("/apps", content=raw))
        assert_well_answered(await kit.client.post("/apps/rooms/secrets", content=raw))

    play(story)


@given(
    segment=st.text(min_size=1, max_size=30),
    query=st.dictionaries(st.text(max_size=12), st.text(max_size=12)),
)
@settings(max_examples=100, deadline=None)
def test_any_path_and_query_are_answered(segment: str, query: dict[str, str]) -> None:
    """Random ids and query parameters never give a 5xx."""

    async def story(kit: Kit) -> None:
        kit.client.base_url = httpx.URL("http://simulator/v1/")
        quoted = "".join(f"%{byte:02x}" for byte in segment.encode("utf-8", "replace"))
        for path in (
            f"/apps/{quoted}",
            f"/apps/rooms/machines/{quoted}",
            f"/apps/rooms/machines/{quoted}/wait",
        ):
            assert_well_answered(await kit.client.get(path, params=query))
        assert_well_answered(await kit.call("GET", params=query))

    play(story)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'"text"',
        b'{"config": 1e999}',
        b'{"config": {"image": NaN}}',
        b'{"config": ' + b"[" * 10_000,
        b'{"config": {"image": "registry.fly.io/rooms:v1", "stop_config": {"timeout": 1'
        + b"0" * 400
        + b"}}}",
        b'{"config": {"image": "\\ud800"}}',
    ],
)
def test_malformed_body_is_a_400(raw: bytes) -> None:
    """What is no JSON object, or holds what no answer could carry, answers 400 in the API's shape."""

    async def story(kit: Kit) -> None:
        response = await kit.call("POST", content=raw)
        assert response.status_code == 400
        assert_well_answered(response)

    play(story)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"env": {"A": 1}}, "config.env.A"),
        ({"guest": {"memory_mb": "512"}}, "config.guest.memory_mb"),
        ({"services": [{"internal_port": 70000}]}, "config.services.0.internal_port"),
        ({"services": [SERVICE | {"checks": [{"interval": "soon"}]}]}, "config.services.0.checks.0.interval"),
        ({"restart": {"policy": "sometimes"}}, "config.restart.policy"),
        ({"stop_config": {"signal": "SIGSTOP"}}, "config.stop_config.signal"),
    ],
)
def test_wrong_type_names_its_place(config: dict[str, Any], place: str) -> None:
    """A known field of a wrong type answers 400 and says which field it is."""

    async def story(kit: Kit) -> None:
        response = await kit.call("POST", json={"config": {"image": V1, **config}})
        assert response.status_code == 400
        assert place in response.json()["error"]

    play(story)


def test_huge_body_is_refused() -> None:
    """A body above 1 MiB answers 413; one just below is read."""

    async def story(kit: Kit) -> None:
        huge = await kit.call("POST", content=b" " * (MIB + 1))
        assert huge.status_code == 413
        assert_well_answered(huge)
        config = {"image": V1, "note": "x" * (MIB - 1000)}
        assert (await kit.call("POST", json={"config": config, "skip_launch": True})).status_code == 200

    play(story)


@pytest.mark.parametrize(("method", "status"), [("PATCH", 405), ("GET", 405)])
def test_wrong_method_has_the_error_shape(method: str, status: int) -> None:
    """A method that a path does not have answers 405 in the API's shape."""

    async def story(kit: Kit) -> None:
        response = await kit.client.request(method, "/apps/rooms/machines/x/stop")
        assert response.status_code == status
        assert_well_answered(response)

    play(story)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("15s", 15),
        ("1m30s", 90),
        ("100ms", 0.1),
        ("1.5h", 5400),
        ("0", 0),
        ("0s", 0),
        (2_000_000_000, 2),
        (0, 0),
    ],
)
def test_durations_are_go_s(value: str | int, seconds: float) -> None:
    """Durations are Go's strings or integers of nanoseconds."""
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "5", "s", "5 s", "-5s", "5s later", 1.5, True, None, [], "9" * 50 + "s", -1]
)
def test_other_durations_are_refused(value: object) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)
