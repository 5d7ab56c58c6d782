"""The cluster that the deployer asks about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cluster:
    """A release's machines: `urls` by machine id. `fenced`: they refuse rooms until their release owns the state."""

    release: str
    regions: frozenset[str]
    urls: Mapping[str, str]
    fenced: bool

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Cluster:
        """What the deployer told; ValueError says what it did not."""
        release, *lists = (
            _read(environ, f"BLUEGREEN_{name}") for name in ("RELEASE", "REGIONS", "MACHINES", "URLS")
        )
        regions, machines, urls = (words.split() for words in lists)
        if len(machines) != len(urls):
            raise ValueError(
                f"BLUEGREEN_MACHINES names {len(machines)} machines, BLUEGREEN_URLS {len(urls)} addresses"
            )
        # The app's own switch (examples.rooms.settings); the test's `env` has to say what the app's does.
        fenced = environ.get("ROOMS_FENCE", "on") == "on"
        return cls(release, frozenset(regions), dict(zip(machines, urls, strict=True)), fenced)


def _read(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, "").strip():
        return value
    raise ValueError(f"{name} is not set: this runs as a `command` test of a deploy")
