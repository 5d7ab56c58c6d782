"""What a deployment works with: the API, the gates' ways to ask, and whom it tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from providers.bluegreen.events import Event, Hear, Kind, all_of
from providers.bluegreen.holder import Holder
from providers.bluegreen.lock import LEASE_S, Lock
from providers.bluegreen.model import Ownership
from providers.bluegreen.spec import Spec
from providers.fly import Apps, Leases, Machines, Secrets
from providers.fly.api import Api
from providers.gates.output import Scrubber
from providers.gates.routing import Prober
from providers.gates.store import StateStore
from providers.tunnels import Tunnels

LINE_CAP = 1000
"""How much of one line of anybody else's is shown."""
StoreOf = Callable[[str], StateStore]
"""The store that holds a bucket, by the bucket's name."""


@dataclass
class Context:
    """Everything that an action may use. ``now`` gives epoch seconds; ``hear`` is told all that happens.

    ``private`` asks through ``tunnels``; ``scrubber`` knows what no line may show.
    ``expected``: ids of machines that have to be there, because Pulumi's state has them. ``adopting``: whether machines
    of `fly deploy` count as blue. ``registered``: ids of those that this run asked the proxy to route; the API does not
    show it.
    ``touched``: ids of those that it started or uncordoned. ``committing``: the commit that it sent and of which no
    answer was read yet. ``record_error``: why the store did not say who owns the state. ``destroyed``: ids of those
    that it asked Fly to destroy.
    ``holder``: who this run is, for others; ``lease_s``: for how long its leases are taken, in seconds. ``stop``: why
    the run should stop, ``""`` as long as it should not.
    """

    api: Api
    spec: Spec
    store_of: StoreOf
    prober: Prober
    tunnels: Tunnels
    private: httpx.AsyncClient
    hear: Hear
    now: Callable[[], float] = time.time
    scrubber: Scrubber = field(default_factory=lambda: Scrubber(()))
    holder: Holder = field(default_factory=Holder)
    lease_s: float = LEASE_S
    stop: Callable[[], str] = lambda: ""
    expected: frozenset[str] = frozenset()
    adopting: bool = False
    registered: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    destroyed: set[str] = field(default_factory=set)
    committing: Ownership | None = None
    record_error: str = ""
    waiting_for: dict[str, str] = field(default_factory=dict)
    lock: Lock = field(init=False)

    def __post_init__(self) -> None:
        leases = Leases(self.api, self.spec.app)
        self.hear = all_of(self.hear)
        self.lock = Lock(leases, self.holder, self.lease_s, self.say, self.now)
        self.api.fence = self.lock.headers

    def say(self, text: str) -> None:
        """Tell people one line."""
        self.hear(Event(Kind.NOTE, self.now(), text))

    def scrub(self, text: str) -> str:
        """A line of anybody else's, fit to be shown: clean, and without secrets."""
        return self.scrubber.excerpt(text, LINE_CAP)

    @property
    def apps(self) -> Apps:
        return Apps(self.api)

    @property
    def machines(self) -> Machines:
        return Machines(self.api, self.spec.app)

    @property
    def app_secrets(self) -> Secrets:
        return Secrets(self.api, self.spec.app)
