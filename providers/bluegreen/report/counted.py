"""Machines and clusters, counted, as people read them."""

from __future__ import annotations

from providers.bluegreen.model import Cluster


def machines(counts: dict[str, int]) -> str:
    """``{"ams": 2, "iad": 2}`` → ``"4 machines (ams 2, iad 2)"``."""
    total = sum(counts.values())
    noun = "machine" if total == 1 else "machines"
    return f"{total} {noun} ({', '.join(f'{region} {count}' for region, count in sorted(counts.items()))})"


def cluster_text(cluster: Cluster) -> str:
    """``"release 2-3fa9c1d20e, 4 machines (ams 2, iad 2)"``."""
    return f"release {cluster.release}, {machines(cluster.regions)}"
