"""What hostile answers are made of, and what must be true of everything that is said because of them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

from providers.bluegreen import report
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.spec import Spec
from providers.gates.output import clean

NASTY = (
    "\x1b[2J\x1b[1;1Hdeployed",
    "\x1b]0;title\x07",
    "\x9b31m",
    "../../apps/other",
    "%2e%2e%2fother",
    "a/../../b?x=y#z",
    "x\r\nHost: evil.test",
    "\u202edrowssap",
    "\x00",
    "",
    "x" * 100_000,
)
MOST_CHARACTERS = 20_000
"""How much one run may say because of one answer, whatever is in it."""

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)


def told(spec: Spec, said: list[str], outcome: Outcome | None, error: BaseException | None) -> list[str]:
    """Everything that people are shown of a run."""
    shown = list(said)
    if outcome is not None:
        shown += report.outcome_text(spec.app, outcome).split("\n")
        shown += outcome.failure.reasons if outcome.failure else ()
    if error is not None:
        shown.append(str(error))
    return shown


def unfit(lines: list[str]) -> list[str]:
    """Lines that move a terminal, or that show a program's insides."""
    return [repr(line)[:300] for line in lines if line != clean(line) or "Traceback" in line]


def every_word_of(error: BaseException) -> str:
    """An exception as anybody could print it, with its causes."""
    return "".join((repr(error), str(error), *traceback.format_exception(error)))


@contextmanager
def listening() -> Iterator[list[str]]:
    """Every record of every logger, at its most talkative."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
