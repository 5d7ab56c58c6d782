"""Every call of a deployment x every fault x how long, and kills: all promises hold, and the table of it is committed.

The calls are those of a recorded run, so a call that is added to the deployment is covered by existing, and its row is
missing in the table until that is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.bluegreen.promises import ENDINGS, STEPS
from tests.faults.network import FAULTS
from tests.faults.sections import SECTIONS
from tests.faults.table import FILE, difference, legend, play, read
from tests.figures import Figures

WRITE = "`make faults` (python -m tests.faults) writes it anew; its diff is for a reviewer"


@pytest.fixture(scope="module")
def apart() -> Iterator[Executor]:
    """A process of its own: it forks for each cell, and one that has loaded all tests takes a sixth longer."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        yield process


@pytest.mark.long
@pytest.mark.parametrize("title", SECTIONS)
def test_every_fault_at_every_call_ends_with_a_named_cluster(
    title: str, apart: Executor, figures: Figures
) -> None:
    """No promise is broken on the way, the next run finishes, the one after only looks; the table is as committed."""
    played = apart.submit(play, title).result()
    figures.add(**played.figures)
    assert not played.broken, "\n".join(played.broken)
    changed = difference(title, played)
    assert not changed, f"{FILE.name} differs. {WRITE}:\n{changed}"


def test_the_table_has_these_sections_and_no_others(figures: Figures) -> None:
    """A section that is gone, or new, is seen in the committed file."""
    figures.add(invariants=len(STEPS) + len(ENDINGS), faults=len(FAULTS))
    assert list(read()) == list(SECTIONS), WRITE
    assert FILE.read_text(encoding="utf-8").startswith(legend()), WRITE
