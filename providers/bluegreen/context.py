"""What a deployment works with: the API, the gates' ways to ask, and whom it tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from providers.bluegreen.spec import Spec
from providers.fly import Apps, Machines, Secrets
from providers.fly.api import Api
from providers.gates.routing import Prober
from providers.gates.store import StateStore

StoreOf = Callable[[str], StateStore]
"""The store that holds a bucket, by the bucket's name."""


@dataclass
class Context:
    """Everything that an action may use. ``now`` gives epoch seconds; ``say`` tells people one line.

    ``expected``: ids of machines that have to be there, because Pulumi's state has them. ``registered``:
    ids of those that this run asked the proxy to route; the API does not show it.
    ``touched``: ids of those that it started or uncordoned.
    """

    api: Api
    spec: Spec
    store_of: StoreOf
    prober: Prober
    say: Callable[[str], None]
    now: Callable[[], float] = time.time
    expected: frozenset[str] = frozenset()
    registered: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    waiting_for: dict[str, str] = field(default_factory=dict)

    @property
    def apps(self) -> Apps:
        return Apps(self.api)

    @property
    def machines(self) -> Machines:
        return Machines(self.api, self.spec.app)

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.api, self.spec.app)
