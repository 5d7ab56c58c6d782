"""Which apps a resource was created for in this very run of Pulumi.

A resource that is renamed without an alias is to Pulumi a new one and an old one: it creates the new one, which finds
its app and changes nothing, and then deletes the old one, with the app that the new one has just taken over. Creates
come before deletes, and one provider process serves a whole run (docs/adr/0011-adoption-and-drift.md).
"""

from __future__ import annotations

_claimed: set[str] = set()


def claim(app: str) -> None:
    """A resource was created for this app: none that is deleted in the same run may take it along."""
    _claimed.add(app)


def is_claimed(app: str) -> bool:
    """Whether another resource has it now."""
    return app in _claimed
