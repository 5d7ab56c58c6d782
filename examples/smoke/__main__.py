"""python -m examples.smoke"""

from __future__ import annotations

import os
import sys

import httpx

from examples.smoke.cluster import Cluster
from examples.smoke.looks import Wrong, look_at

TIMEOUT_SECONDS = 5.0


def main() -> int:
    """Look at every machine and print a line for each. Exit 1 when one is not right, or when nothing was told."""
    try:
        cluster = Cluster.from_env(os.environ)
    except ValueError as error:
        print(f"FAILED: {error}")
        return 1
    with httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as http:
        right = [is_right(http, cluster, machine) for machine in cluster.urls]
    return 0 if all(right) else 1


def is_right(http: httpx.Client, cluster: Cluster, machine: str) -> bool:
    """Look at one machine, and say what was found."""
    try:
        found, right = look_at(http, cluster, machine), True
    except (Wrong, httpx.HTTPError) as error:
        found, right = f"FAILED: {error}", False
    print(f"machine {machine}: {found}", flush=True)
    return right


if __name__ == "__main__":
    sys.exit(main())
