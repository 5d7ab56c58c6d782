"""``python -m bench``: deploys of 3 and 50 machines against the simulator, inside Fly's rate limits, in virtual time.

Prints, for each size: the deploy's time over what it cannot do without (boot, checks, drain); the same over the
floor that Fly's limit on creates sets; the handoff window less the app's own drain; and API calls a machine. Virtual
time leaves out this machine's own speed: what is measured is how many waits, round trips and tokens a deploy spends.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

from providers.bluegreen.outcome import Ending
from simulator.limits import EACH
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

BOOT_S, HEALTHY_S, DRAIN_S, PROXY_DELAY_S = 2.0, 3.0, 10.0, 0.2


@dataclass(frozen=True)
class Figures:
    """Of one update. Times in seconds of virtual time."""

    machines: int
    deploy_s: float
    deploy_over_unavoidable: float
    deploy_over_unavoidable_and_creates: float
    window_minus_drain_s: float
    window_minus_drain_and_proxy_s: float
    calls_per_machine: float


def measure(machines: int) -> Figures:
    """One update of a healthy cluster of this size."""
    found: list[Figures] = []

    async def update(kit: Kit) -> None:
        kit.runtime.script("*", kit.app(boot_seconds=BOOT_S, healthy_after=HEALTHY_S, drain_seconds=DRAIN_S))
        check = {"type": "http", "path": "/health", "interval": "500ms"}
        services = [{"internal_port": 8080, "checks": [check]}]
        wanted = {"regions": {"ams": machines}, "services": services, "deadlines": {"create_new": "10m"}}
        await kit.deploy(spec(image=V1, **wanted))
        outcome = await kit.deploy(spec(image=V2, **wanted))
        assert outcome.ending is Ending.DEPLOYED
        assert outcome.window_s is not None
        took = sum(phase.seconds for phase in outcome.phases)
        unavoidable = BOOT_S + HEALTHY_S + DRAIN_S
        creates = max(0.0, (machines - EACH.burst) / EACH.per_second)
        added = outcome.window_s - DRAIN_S
        found.append(
            Figures(
                machines=machines,
                deploy_s=round(took, 2),
                deploy_over_unavoidable=round(took / unavoidable, 2),
                deploy_over_unavoidable_and_creates=round(took / (unavoidable + creates), 2),
                window_minus_drain_s=round(added, 3),
                window_minus_drain_and_proxy_s=round(added - PROXY_DELAY_S, 3),
                calls_per_machine=round(outcome.api_calls / machines, 2),
            )
        )

    simulate(update, proxy_delay=PROXY_DELAY_S)
    return found[0]


def main() -> None:
    """Measure every size, print a column for each."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--machines", type=int, nargs="+", default=[3, 50], help="cluster sizes (default: 3 50)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = [asdict(measure(machines)) for machines in options.machines]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for name in rows[0]:
        print(f"{name.replace('_', ' '):38}", *(f"{row[name]:>10}" for row in rows))


if __name__ == "__main__":
    main()
