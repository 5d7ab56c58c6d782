"""How a proof that failed is told: which machine, a bounded list, safe to print."""

from __future__ import annotations

from collections.abc import Iterable

from providers.bluegreen.model import MachineSeen, Proof

MOST_FAULTS = 20
LONGEST_SHOWN = 200


def shown(text: str) -> str:
    """What others wrote, as one line of bounded length without control characters."""
    return "".join(c if c.isprintable() else "�" for c in text[:LONGEST_SHOWN])


def failed(machine: MachineSeen, faults: Iterable[str]) -> Proof:
    """The proof that does not hold, because of these faults."""
    told = sorted(faults)
    more = [f"and {len(told) - MOST_FAULTS:,} more"] if len(told) > MOST_FAULTS else []
    return Proof(
        machine.id,
        faults=tuple(
            f"machine {machine.id} ({machine.name}): {fault}" for fault in told[:MOST_FAULTS] + more
        ),
    )
