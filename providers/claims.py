"""Which apps a resource was created for in this very run of Pulumi.

A resource that is renamed without an alias is to Pulumi a new one and an old one: it creates the new one, which finds
its app and changes nothing, and then deletes the old one, with the app that the new one has just taken over. Creates
come before deletes, and one provider process serves a whole run (docs/adr/0011-adoption-and-drift.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Kind = Literal["deployment", "ingress"]
"""Each has claims of its own: an app may keep its machines and lose its ``ingress`` in one run."""

_claimed: dict[tuple[Kind, str], frozenset[str]] = {}


def claim(kind: Kind, app: str, gives_back: Iterable[str] = ()) -> None:
    """A resource was created for this app: none that is deleted in the same run may take it along.

    ``gives_back``: what the new one will take away when it is destroyed itself.
    """
    _claimed[kind, app] = frozenset(gives_back)


def is_claimed(kind: Kind, app: str) -> bool:
    """Whether another resource has it now."""
    return (kind, app) in _claimed


def given_back_later(kind: Kind, app: str) -> frozenset[str]:
    """What the resource that claimed it will take away when it is destroyed."""
    return _claimed.get((kind, app), frozenset())
