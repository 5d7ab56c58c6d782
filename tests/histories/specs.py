"""The specs that deployers want: the same image, an older, a newer one, one with another environment, and a scale."""

from __future__ import annotations

from functools import cache
from typing import Any

from providers.bluegreen.spec import Spec
from tests.bluegreen.virtual import V1, V2
from tests.bluegreen.worlds import spec
from tests.histories.steps import Cutover, Drain, Extra, Wants

V3 = "registry.fly.io/rooms:v3"
IMAGES = (V1, V2, V3)
_CHANGES: dict[Wants, dict[str, Any]] = {
    "v1": {"image": V1},
    "v2": {"image": V2},
    "v2 env": {"image": V2, "env": {"X": "3"}},
    "v3": {"image": V3},
    "more v1": {"image": V1, "regions": {"ams": 2, "iad": 1}},
}
_EXTRAS: dict[Extra, dict[str, Any]] = {
    "bake": {"bake": "5s"},
    "warm": {"keep_warm": "1h"},
    "approval": {"approval": "manual"},
}
_CHECK = {"type": "http", "path": "/health", "interval": "2s", "grace_period": "1s"}


@cache
def wanted(wants: Wants, drain: Drain, cutover: Cutover, extras: tuple[Extra, ...] = ()) -> Spec:
    """``destroy`` is asked of whatever spec was deployed last: v1 stands for it."""
    more = {key: value for extra in extras for key, value in _EXTRAS[extra].items()}
    return spec(
        **more,
        **_CHANGES.get(wants, _CHANGES["v1"]),
        services=[{"internal_port": 8080, "checks": [_CHECK]}],
        drain={"type": drain},
        cutover=cutover,
        deadlines={"create_new": "10s", "verify": "10s", "drain_old": "15s", "switch_routes": "10s"},
    )
