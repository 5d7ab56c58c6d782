"""What is looked for on one machine that no user reaches yet."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx

from examples.smoke.cluster import Cluster

ROOM = "/rooms/smoke"


class Wrong(Exception):
    """The machine is not as it should be; the text says what it should be, and what it is."""


def look_at(http: httpx.Client, cluster: Cluster, machine: str) -> str:
    """What is right about a machine, in a few words. Raises Wrong, or httpx's errors where it does not answer."""
    url = cluster.urls[machine]
    _ask(http, f"{url}/health", HTTPStatus.OK)
    version = _ask(http, f"{url}/version", HTTPStatus.OK)
    _must_be("machine", version.get("machine_id"), frozenset({machine}))
    _must_be("release", version.get("release"), frozenset({cluster.release}))
    _must_be("region", version.get("region"), cluster.regions)
    about = f"{version.get('version')} in {version['region']} is healthy"
    if not cluster.fenced:
        return f"{about}; without a fence it would open a room, so it is asked for none"
    why = _ask(http, f"{url}{ROOM}", HTTPStatus.SERVICE_UNAVAILABLE).get("error")
    return f"{about}; refuses rooms: {why}"


def _ask(http: httpx.Client, url: str, expected: HTTPStatus) -> dict[str, Any]:
    answer = http.get(url)
    if answer.status_code != expected:
        raise Wrong(f"GET {url} answered {answer.status_code}, not {expected.value}: {answer.text[:200]}")
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        raise Wrong(f"GET {url} answered no JSON: {answer.text[:200]}") from None
    return body


def _must_be(what: str, got: object, wanted: frozenset[str]) -> None:
    if got not in wanted:
        raise Wrong(f"its {what} is {got}, not {' or '.join(sorted(wanted))}")
