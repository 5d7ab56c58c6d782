"""Random histories: two deployers, crashes, suspensions, faults, drift, outages, players; all promises at every step.

Scripts are drawn first and played afterwards, by one driver inside one virtual platform. A rule-based machine would
drive the platform's event loop from outside, step by step, which costs a good part of the time; as data a script is
made shorter, is printed as it is, and plays again without Hypothesis.

``make test`` plays the same scripts every time. ``make soak`` plays fresh ones.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, seed

from tests.figures import Figures
from tests.histories.play import play
from tests.histories.replay import as_text
from tests.histories.scripts import playing, scripts
from tests.histories.shorter import shorter
from tests.histories.steps import Script

STEPS = 50_000
SEEDS = (0, 1, 4, 5)
"""A part for each: they run beside each other where there are cores for it. Of 0 to 7 those whose scripts find most to
be about, which says nothing of what they find broken: none of the eight does."""
HISTORIES = 448
"""In all parts together. A script of 200 steps has about 110 that find something to be about."""


@pytest.mark.long
@pytest.mark.parametrize("number", SEEDS)
def test_every_promise_holds_in_random_histories(number: int, figures: Figures) -> None:
    """After every step, and at the end: the next runs succeed, then change nothing, and nothing is lost."""
    counts: Counter[str] = Counter()

    @seed(number)
    @playing(HISTORIES // len(SEEDS))
    @given(scripts)
    def one(script: Script) -> None:
        counts.update(played_or_told(script), played=1)

    one()
    assert counts["steps"] >= STEPS / len(SEEDS)
    told = {name: count for name, count in counts.items() if not name.startswith("step ")}
    figures.add(**{f"histories: {name}": count for name, count in told.items()})


def played_or_told(script: Script) -> Counter[str]:
    """The figures of one history. A failure carries the text that plays it again, without most of what it needs not.

    A broken promise is one, and so is whatever the product lets out: that breaks no promise by its name.
    """
    try:
        return play(script).figures
    except Exception as error:
        kind = kind_of(told(error))
        short = shorter(script, lambda other: kind_of(failure_of(other)) == kind)
        error.add_note(f"\nThis plays it again:\n\n{as_text(short)}")
        raise


def failure_of(script: Script) -> str:
    """Why it fails, if it does."""
    try:
        play(script)
    except Exception as error:  # noqa: BLE001 - as it is told, it is compared
        return told(error)
    return ""


def told(error: Exception) -> str:
    """Its kind and its words: an exception may have none."""
    return f"{type(error).__name__}: {error}"


def kind_of(failure: str) -> str:
    """Its words, without ids and numbers."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", failure)[:60]
