"""Answers as people read them in a terminal. Everything that comes from outside is cleaned before it gets here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.timeline.names import Entry


def of_status(found: Mapping[str, Any]) -> Iterator[str]:
    """Who serves first, what is wrong next, and then the tree."""
    yield f"{found['app']}: {_serves(found)}"
    for line in found["unfinished"]:
        yield f"  unfinished: {line}"
    for who in found["deploying"]:
        yield f"  a deploy is running: {who}"
    for cluster in found["clusters"]:
        yield f"release {cluster['release']}: {cluster['standing']}"
        for region, machines in cluster["regions"].items():
            yield f"  {region}"
            yield from (f"    {_machine(machine)}" for machine in machines)
    if found["strangers"]:
        yield f"{found['strangers']} machines are not of any release here; they are never touched"
    if found["unfinished"]:
        yield "Next: `explain` says what `pulumi up` would do"


def _serves(found: Mapping[str, Any]) -> str:
    if not found["exists"]:
        return "there is no such app; nothing serves"
    if found["serving"]:
        count = found["serving"]["machines"]
        noun = "machine" if count == 1 else "machines"
        return f"release {found['serving']['release']} serves, from {count} {noun}"
    if found["owner"]:
        return f"release {found['owner']} owns the state, and none of its machines is known to be routed"
    return "nothing serves"


def _machine(machine: Mapping[str, Any]) -> str:
    passing = sum(check["passing"] for check in machine["checks"])
    words = [machine["state"], "routed" if machine["routed"] else "not routed"]
    words += [word for word in ("cordoned", "draining") if machine[word]]
    words.append(f"{passing} of {len(machine['checks'])} checks pass")
    words += [] if machine["host_answers"] else ["its host does not answer"]
    words += [f"leased by {machine['lease']['by']}"] if machine["lease"] else []
    failing = [
        f"      {c['name']}: {c['output']}" for c in machine["checks"] if not c["passing"] and c["output"]
    ]
    return "\n".join([f"{machine['id']}  {machine['name']}: {', '.join(words)}", *failing])


def of_history(entries: Sequence[Entry], where: str) -> Iterator[str]:
    """One deployment a line, newest first."""
    if not entries:
        yield f"no deploy is kept in {where}"
    for entry in entries:
        yield f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.ending:<18} {entry.release}"
