"""All planted bugs, and why an incident has none."""

from __future__ import annotations

from tests.mutants.gates import GATES
from tests.mutants.incidents import INCIDENTS
from tests.mutants.interrupted import INTERRUPTED

MUTANTS = (*INCIDENTS, *GATES, *INTERRUPTED)
DOES_NOT_APPLY: dict[str, str] = {}
"""By row of the incidents: why none of its bugs can be ours. Every row has one that can."""
