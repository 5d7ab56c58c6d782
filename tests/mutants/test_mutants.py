"""Planted bugs: each is found by the test that is named beside it, and by no accident.

A mutant is one change to our own code. Its killer must fail with it as a test fails, not on an import, and must pass
without it. Each run is a process of its own, so nothing of one reaches another.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.figures import Figures
from tests.mutants.mutant import Mutant
from tests.mutants.planted import DOES_NOT_APPLY, MUTANTS
from tests.mutants.workers import Job, Verdict

ROOT = Path(__file__).parents[2]
CONTROL = "the killers, without a bug"
ROWS = {str(number) for number in range(1, 24)}


def job_of(mutant: Mutant) -> Job:
    source = mutant.apply((ROOT / mutant.file).read_text())
    return Job(mutant.name, [mutant.killer], mutant.file.removesuffix(".py").replace("/", "."), source)


def verdicts_of(jobs: list[Job]) -> dict[str, Verdict]:
    """Run the jobs, the processes of which end with this test, whatever becomes of it."""
    argv = [sys.executable, "-m", "tests.mutants.workers"]
    told = json.dumps([asdict(job) for job in jobs])
    done = subprocess.run(argv, input=told, capture_output=True, text=True, cwd=ROOT, check=True)
    found = [Verdict(**json.loads(line)) for line in done.stdout.splitlines()]
    return {verdict.name: verdict for verdict in found}


def of_all_workers(
    session: pytest.TempPathFactory, make: Callable[[], dict[str, Verdict]]
) -> dict[str, Verdict]:
    """pytest-xdist gives each of its workers some of these tests: the first that comes makes it for all of them."""
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        return make()
    with (session.getbasetemp().parent / "verdicts.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if told := file.read():
            return {name: Verdict(**verdict) for name, verdict in json.loads(told).items()}
        made = make()
        json.dump({name: asdict(verdict) for name, verdict in made.items()}, file)
    return made


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """Of the mutants that were selected, each with its killer; and of all the killers on the code as it is."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [p.params["mutant"] for p in params if p is not None and "mutant" in p.params]
    killers = Job(CONTROL, sorted({mutant.killer for mutant in chosen}))
    jobs = [killers, *(job_of(mutant) for mutant in chosen if follows(mutant))]
    return of_all_workers(tmp_path_factory, lambda: verdicts_of(jobs))


def follows(mutant: Mutant) -> bool:
    """Whether its text is there still; where it is not, its own test fails, and no other."""
    return (ROOT / mutant.file).read_text().count(mutant.old) == 1


@pytest.mark.long(unit="mutants")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant, verdicts: dict[str, Verdict], figures: Figures) -> None:
    """The killer passes on the code as it is, and fails with the bug in it."""
    assert mutant.apply((ROOT / mutant.file).read_text())
    control, planted = verdicts[CONTROL], verdicts[mutant.name]
    assert control.passes(mutant.killer), f"{mutant.killer} does not pass without the bug: {control.told}"
    assert planted.how == "killed", f"{planted.how} with the bug: {planted.told}"
    figures.add(mutants_killed=1)


def test_every_incident_has_a_mutant_or_a_reason() -> None:
    """Each row of the incidents: at least one bug of that kind is planted, or it is said why it cannot be ours."""
    planted = {mutant.about for mutant in MUTANTS} & ROWS
    assert planted | set(DOES_NOT_APPLY) == ROWS
    assert not planted & set(DOES_NOT_APPLY)


def test_a_killer_that_fails_without_a_bug_is_no_killer() -> None:
    """Negative control: nor is one of which a case fails, or that never ran."""
    control = Verdict(
        CONTROL, "killed", cases={"a": False, "b[1]": True, "b[2]": False, "c[1]": True, "d": True}
    )
    assert [test for test in "abcde" if control.passes(test)] == ["c", "d"]


def test_a_mutant_that_does_not_follow_the_code_is_refused() -> None:
    """Negative control: text that is not there, or there twice, is an error of the table."""
    mutant = MUTANTS[0]
    for source in ("", mutant.old * 2):
        with pytest.raises(ValueError, match="must follow the code"):
            mutant.apply(source)


def test_a_mutant_that_changes_nothing_or_does_not_import_kills_nothing() -> None:
    """Negative control: the same source is no bug, and one that cannot be imported is not killed but broken."""
    mutant = MUTANTS[0]
    job = job_of(mutant)
    same = Job("same", job.tests, job.module, (ROOT / mutant.file).read_text())
    garbage = Job("garbage", job.tests, job.module, "import nowhere_to_be_found\n")
    unused = Job("unused", job.tests, "providers.nobody_imports_this", "")
    found = verdicts_of([same, garbage, unused])
    assert {name: verdict.how for name, verdict in found.items()} == {
        "same": "passed",
        "garbage": "broken",
        "unused": "broken",
    }
