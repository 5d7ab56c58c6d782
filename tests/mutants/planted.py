"""All planted bugs, and why an incident has none."""

from __future__ import annotations

from tests.mutants.gates import GATES
from tests.mutants.incidents import INCIDENTS

MUTANTS = (*INCIDENTS, *GATES)
DOES_NOT_APPLY: dict[str, str] = {}
"""By row of the incidents: why none of its bugs can be ours. Every row has one that can."""
