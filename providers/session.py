"""Building a deployment's context from a spec and the environment: token, API, store, prober."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache

import httpx
from pydantic import BaseModel, SecretStr

from providers.bluegreen.context import Context
from providers.bluegreen.events import Hear
from providers.bluegreen.spec import Spec
from providers.cancel import watch_cancel
from providers.fly import connect
from providers.fly.api import DEFAULT_BASE_URL
from providers.gates.output import Scrubber
from providers.gates.routing import HttpProber, outside
from providers.gates.store import StateStore
from providers.http import client
from providers.orphan import end_as_orphan
from providers.parent import watch_parent
from providers.tunnels import direct, fly_proxy

SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_ACCESS_TOKEN",
)
"""What the deployer's own environment may hold that nobody may read in a log."""
PRIVATE_TIMEOUTS = httpx.Timeout(30.0, connect=10.0)


class NoToken(Exception):
    """The environment has no usable ``FLY_API_TOKEN``."""

    def __init__(self) -> None:
        super().__init__(
            "FLY_API_TOKEN is not set, or is not ASCII; e.g. export FLY_API_TOKEN=$(fly tokens create deploy -a <app>)"
        )


def fly_token() -> str:
    """The token. Raises ``NoToken``.

    It comes from the environment, never from stack config: Pulumi's refresh and destroy see the config of the last
    ``up``, so a rotated token would not reach them.
    """
    token = _token()
    if not token or not token.isascii():
        raise NoToken
    return token


def api_address(configured: str | None) -> str:
    """The Machines API's base URL."""
    return configured or os.environ.get("FLY_FLAPS_BASE_URL") or DEFAULT_BASE_URL


@asynccontextmanager
async def open_context(spec: Spec, hear: Hear) -> AsyncIterator[Context]:
    """A context over the real API and the real S3. Raises ``NoToken``."""
    token, base_url = fly_token(), api_address(spec.api_url)
    secrets = frozenset(secrets_in(spec))
    tunnel = direct() if spec.tunnel == "direct" else fly_proxy(spec.app, token)
    async with (
        connect(token, base_url, secrets=secrets) as api,
        outside() as http,
        tunnel as tunnels,
        private() as web,
    ):
        yield Context(
            api,
            spec,
            store_of=stores(spec),
            prober=HttpProber(http, spec.url, spec.routing_probe),
            tunnels=tunnels,
            private=web,
            hear=hear,
            scrubber=scrubber_of(spec),
            stop=_asked_to_stop(),
        )


def _token() -> str:
    return os.environ.get("FLY_API_TOKEN", "").strip()


def scrubber_of(spec: Spec) -> Scrubber:
    """Hides what nobody may read: the token, the spec's secrets, and those of the deployer's own environment."""
    own = (_token(), *map(os.environ.get, SECRET_VARIABLES))
    return Scrubber([*secrets_in(spec), *filter(None, own)])


def secrets_in(part: object) -> Iterator[str]:
    """Every secret of a spec, wherever it is: an app may print the header of a test as well as its own environment."""
    if isinstance(part, SecretStr):
        yield part.get_secret_value()
    elif isinstance(part, BaseModel):
        yield from secrets_in(dict(part))
    elif isinstance(part, Mapping):
        yield from secrets_in(tuple(part.values()))
    elif isinstance(part, tuple | list):
        for item in part:
            yield from secrets_in(item)


def _asked_to_stop() -> Callable[[], str]:
    """Why a deployment should come to its end at the next safe point: Ctrl-C, or nobody is left to hear of it."""
    end_as_orphan()
    cancelled, gone = watch_cancel(), watch_parent()
    return lambda: cancelled() or gone()


def private() -> httpx.AsyncClient:
    """A client for questions through tunnels. Connections are kept: each leads to one machine and no other."""
    return client(timeout=PRIVATE_TIMEOUTS)


def stores(spec: Spec) -> Callable[[str], StateStore]:
    """One client a bucket. The spec's own is opened at once: making a client takes too long for the handoff window."""
    wanted = spec.state_store

    @cache
    def store_of(bucket: str) -> StateStore:
        # Imported here: boto3 takes 0.25 s of 0.8 s, and Pulumi's program, which only declares, opens no store.
        from providers.gates.s3 import open_store  # noqa: PLC0415

        return open_store(
            bucket,
            endpoint_url=wanted.endpoint_url if wanted else None,
            region=wanted.region if wanted else None,
        )

    if wanted:
        store_of(wanted.bucket)
    return store_of
