"""A failing script made shorter: steps that the failure does not need are left out, in halves, quarters, and so on.

Hypothesis would take each number and each choice down too, which costs thousands of plays for a script of this length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.histories.steps import Script

MOST_PLAYS = 300


def shorter(script: Script, fails: Callable[[Script], bool]) -> Script:
    """The shortest script that fails, as far as it was found within a bounded number of plays."""
    plays, size = 0, len(script.steps) // 2
    while size and plays < MOST_PLAYS:
        at = 0
        while at < len(script.steps) and plays < MOST_PLAYS:
            without = replace(script, steps=script.steps[:at] + script.steps[at + size :])
            plays += 1
            if fails(without):
                script = without
            else:
                at += size
        size //= 2
    return script
