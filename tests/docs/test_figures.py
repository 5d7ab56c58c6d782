"""Figures that the pages give and the code can count: a figure that is not today's is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bluegreen.promises import ENDINGS, STEPS
from tests.bluegreen.test_plan_exhaustive import CUTOVERS, every_world
from tests.crash.test_pulumi_killed import OF_A_HOST, ORPHANS
from tests.faults import test_machines
from tests.faults.network import FAULTS, PLAYED
from tests.faults.sections import LASTING, NOT_OF_IT
from tests.faults.table import read
from tests.histories import test_histories
from tests.mutants.planted import MUTANTS

ROOT = Path(__file__).parents[2]
README, MEASURED = "README.md", "docs/measured.md"


def rows_of(lines: list[str]) -> list[list[str]]:
    """The cells of each call in one section of the matrix; the first line has the columns' headings."""
    heading, *rest = lines
    label = len(heading) - len(heading.lstrip())
    return [line[label:].split() for line in rest if line.startswith("  ")]


def rows() -> list[list[str]]:
    return [row for lines in read().values() for row in rows_of(lines)]


def scenarios() -> int:
    """Each cell that is one, and what happens to each machine at each step."""
    cells = sum(cell != NOT_OF_IT for row in rows() for cell in row)
    by_hand = len(test_machines.STEPS) * len(test_machines.MACHINES) * len(test_machines.BY_HAND)
    return cells + by_hand


def worlds() -> int:
    return sum(1 for cutover in CUTOVERS for _ in every_world(cutover))


def kills_of_pulumi() -> int:
    return sum(map(len, ORPHANS.values())) + len(OF_A_HOST)


COUNTED: dict[tuple[str, str], Callable[[], int]] = {
    (README, "# calls ×"): lambda: len(rows()),
    (README, "× # faults in"): lambda: len(FAULTS),
    (README, "in # scenarios,"): scenarios,
    (README, "keep # promises"): lambda: len(STEPS) + len(ENDINGS),
    (README, "and # of `pulumi` end"): kills_of_pulumi,
    (README, "# planted bugs"): lambda: len(MUTANTS),
    (README, "# random steps"): lambda: test_histories.STEPS,
    (MEASURED, "× # faults,"): lambda: len(FAULTS),
    (MEASURED, "faults, # of which"): lambda: len(PLAYED),
    (MEASURED, "tell apart, and # of them"): lambda: len(LASTING),
    (MEASURED, "# calls,"): lambda: len(rows()),
    (MEASURED, "# scenarios,"): scenarios,
    (MEASURED, "# promises checked"): lambda: len(STEPS) + len(ENDINGS),
    (MEASURED, "`pulumi up` killed at #,"): kills_of_pulumi,
    (MEASURED, "# planted bugs"): lambda: len(MUTANTS),
    (MEASURED, "# small worlds"): worlds,
    (MEASURED, "two deployers: # of"): lambda: test_histories.HISTORIES,
    (MEASURED, "at least # find"): lambda: test_histories.STEPS,
}
"""Page and words around the figure, ``#`` in its place → how it is counted."""


def figures(page: str, words: str) -> list[int]:
    """The figures that stand so in a page, wherever its lines are broken."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    pattern = re.escape(words).replace(re.escape("#"), "([0-9][0-9,]*)")
    return [int(found.replace(",", "")) for found in re.findall(pattern, text)]


@pytest.mark.parametrize(("page", "words"), COUNTED)
def test_a_figure_is_what_the_code_counts(page: str, words: str) -> None:
    """Whoever adds a bug, a call or a fault changes the pages in the same commit."""
    assert figures(page, words) == [COUNTED[page, words]()]


def test_figures_that_only_a_run_can_count_are_the_same_everywhere() -> None:
    """How often a real deployer is killed is told twice."""
    assert figures(README, "# kills of a deployer") == figures(MEASURED, "SIGKILL at # points")


def test_a_cell_without_a_scenario_is_not_counted() -> None:
    """Negative control: a section of two calls and two columns, one of which makes no sense at one of them."""
    lines = ["           500  403", "first look", "  GET app  D/U  .", "  POST a   A/D  -/D"]
    assert rows_of(lines) == [["D/U", "."], ["A/D", "-/D"]]
