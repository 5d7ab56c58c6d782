"""What differs between a release that runs and the configuration, as far as its machines show it. Pure.

Of a release only a digest is recorded. But its machines have most of what went into it: their config, and in their
metadata how they drain and prove. The values of secrets are nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.bluegreen.drift import users_env
from providers.bluegreen.durations import seconds
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.spec import Spec, StateStore, machine_config, split_location
from providers.changes import changes
from providers.fly import Machine


def differing(spec: Spec, machine: Machine, seen: MachineSeen) -> list[str]:
    """One line for each thing, in the words of a preview; no value of the environment is in it."""
    return changes(_as_it_runs(spec, machine, seen), spec)


def _as_it_runs(spec: Spec, machine: Machine, seen: MachineSeen) -> Spec:
    """The configuration with what this machine has in the place of what is wanted, where that is not the same.

    Not validated: Fly may show what no configuration of ours could say, and it is only compared.
    """
    wanted = machine_config(spec, env={}, metadata={})
    config = machine.config or {}
    told: dict[str, Any] = {"image": machine.image, "env": users_env(machine.env)}
    for key in ("guest", "stop_config"):
        if not _is_same(config.get(key), wanted[key]):
            told[key] = _parts(config.get(key), wanted[key])
    if not _is_same(config.get("services"), wanted["services"]):
        told["services"] = config.get("services")
    told["checks"] = _checks(config.get("checks"), wanted["checks"], spec)
    return spec.model_copy(update=told | _recorded(spec, seen))


def _parts(has: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the configuration has, without the defaults that Fly adds."""
    found = has if isinstance(has, Mapping) else {}
    return {
        name: value if _is_same(found.get(name), value) else found.get(name) for name, value in wanted.items()
    }


def _checks(has: Any, wanted: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    found = has if isinstance(has, Mapping) else {}
    return {
        name: spec.checks[name] if name in wanted and _is_same(value, wanted[name]) else value
        for name, value in found.items()
    }


def _recorded(spec: Spec, seen: MachineSeen) -> dict[str, Any]:
    """What is in the metadata: where it saves, how it drains and proves, how many of it were wanted."""
    told: dict[str, Any] = {}
    if seen.state_store != (spec.state_store.location if spec.state_store else ""):
        told["state_store"] = _store(seen.state_store)
    if not seen.adopted and seen.drain != spec.drain:
        told["drain"] = seen.drain
    if not seen.adopted and _proof(seen.state_proof) != _proof(spec.state_proof):
        told["state_proof"] = seen.state_proof
    if seen.counts and dict(seen.counts) != spec.regions:
        told["regions"] = dict(seen.counts)
    return told


def _store(location: str) -> StateStore | None:
    bucket, prefix = split_location(location) if location else ("", "")
    return StateStore.model_construct(bucket=bucket, prefix=prefix) if bucket else None


def _proof(proof: Any) -> tuple[str, str]:
    """What of it counts, and is recorded: the deployer's own ways keep their details to themselves."""
    return proof.type, getattr(proof, "key", "")


def _is_same(has: Any, wanted: Any) -> bool:
    """Fly adds its own defaults to what it was given, and writes durations in its own way."""
    if isinstance(wanted, Mapping):
        return isinstance(has, Mapping) and all(_is_same(has.get(key), item) for key, item in wanted.items())
    if isinstance(wanted, list | tuple):
        same = isinstance(has, list) and len(has) == len(wanted)
        return same and all(map(_is_same, has, wanted))
    return bool(has == wanted) or _is_same_duration(has, wanted)


def _is_same_duration(has: Any, wanted: Any) -> bool:
    try:
        return bool(seconds(has) == seconds(wanted))
    except (TypeError, ValueError):
        return False
