"""Bugs in what a run does with what an interrupted one has left, and with who answers beside green."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BG = "providers/bluegreen"
LEFT, SWITCH = "tests/bluegreen/test_interrupted.py", "tests/bluegreen/test_after_switch.py"

INTERRUPTED: tuple[Mutant, ...] = (
    Mutant(
        "bake",
        "whoever answers is taken for green",
        f"{BG}/actions/watching.py",
        "asked_for(scene, machine)",
        '""',
        f"{SWITCH}::test_blue_may_answer_while_green_bakes_under_overlap",
    ),
    Mutant(
        "interrupted",
        "nobody brings the owner back before something is built",
        f"{BG}/conditions.py",
        'not waits or scene.intent.goal != "deploy" or done(scene)',
        "True",
        f"{LEFT}::test_whoever_has_to_build_first_brings_the_owner_back",
    ),
    Mutant(
        "interrupted",
        "the owner serves again while another run's commit may land",
        f"{BG}/resolve.py",
        "return replace(intent, contested=contested)",
        "return intent",
        f"{LEFT}::test_a_commit_of_a_run_that_sleeps_lands_nowhere",
    ),
    Mutant(
        "interrupted",
        "what a killed overlap had routed is destroyed with its users on it",
        f"{BG}/conditions.py",
        "return machine.cordoned or machine.state not in RUNNING",
        "return True",
        f"{LEFT}::test_what_a_killed_overlap_had_routed_is_cordoned_before_it_goes",
    ),
    Mutant(
        "interrupted",
        "an app is deleted with all that is in it",
        f"{BG}/actions/removing.py",
        "asked = by_force = False",
        "asked, by_force = False, True",
        f"{LEFT}::test_a_destroy_that_wakes_up_behind_another_run_destroys_nothing[its last call]",
    ),
    Mutant(
        "interrupted",
        "a destroy that slept takes away what another run brought back",
        f"{BG}/execute.py",
        "self._must_still_end(observation)",
        "pass",
        f"{LEFT}::test_a_destroy_that_wakes_up_behind_another_run_destroys_nothing[its drain]",
    ),
    Mutant(
        "interrupted",
        "what is kept warm is marked with no number where only the store knew it",
        f"{BG}/actions/removing.py",
        " or scene.ownership.number - 1",
        "",
        "tests/histories/test_found.py::"
        "test_what_is_kept_warm_stays_so_though_only_the_store_told_that_it_had_owned_the_state",
    ),
    Mutant(
        "interrupted",
        "nobody hears Ctrl-C while a run waits for another one's leases",
        f"{BG}/stopping.py",
        "    await asked(stop)\n    scope.cancel()",
        "    await anyio.sleep_forever()",
        "tests/bluegreen/test_lock.py::test_a_run_that_waits_for_anothers_leases_hears_ctrl_c",
    ),
)
