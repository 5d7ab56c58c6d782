"""How the world looks when a step is done: conditions of scenes and machines, named by the lifecycle's rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from providers.bluegreen.commits import is_retired, rank
from providers.bluegreen.durations import seconds
from providers.bluegreen.model import Answer, MachineSeen, Role, Unknown
from providers.bluegreen.scene import Scene

Done = Callable[[Scene], bool]


def each(role: Role, holds: Callable[[MachineSeen], bool]) -> Done:
    return lambda scene: all(holds(machine) for machine in scene.of(role))


def once_owners(holds: Callable[[MachineSeen], bool]) -> Done:
    """Of the others, those whose release has owned the state: what never did has nothing to save."""

    def done(scene: Scene) -> bool:
        owned = (m for m in scene.of(Role.OTHERS) if rank(m.release, scene.observation))
        return all(holds(machine) for machine in owned)

    return done


def none_left(role: Role) -> Done:
    return lambda scene: not scene.of(role)


def app_exists(scene: Scene) -> bool:
    return scene.observation.app_exists is True


def app_stays_or_is_gone(scene: Scene) -> bool:
    return not scene.intent.remove_app or scene.observation.app_exists is False or scene.observation.app_kept


def secrets_are_set(scene: Scene) -> bool:
    """Before green's commit the app's secrets may be anybody's: each run sets them once."""
    changed = scene.intent.spec.secret_env or scene.intent.previous_secrets
    return not changed or scene.observation.secrets_set


def secrets_are_its_own(role: Role) -> Done:
    """Of the cluster that owns the state: a rollout that was given up may have left its own in the app."""
    return each(role, lambda machine: not machine.secrets_of)


def released(scene: Scene) -> bool:
    """The release command runs before the first machine of its release is created."""
    return not scene.intent.spec.release_command or bool(scene.green) or scene.observation.released


def all_created(scene: Scene) -> bool:
    """Every machine of green exists, by name."""
    return set(scene.intent.wanted) <= {machine.name for machine in scene.green}


def secrets_are_blues(scene: Scene) -> bool:
    marked = any(machine.secrets_of for machine in scene.of(Role.BLUE))
    changed = marked or (scene.intent.previous_secrets and scene.intent.goal == "rollback")
    return not changed or scene.observation.secrets_restored


def before_a_wait(done: Done) -> Done:
    """Asked only of a rollout in which users would wait: for machines to be built, or for people. One that finds green
    complete, and approved, goes on with its switch.
    """

    def holds(scene: Scene) -> bool:
        waits = not (all_created(scene) and approved(scene))
        return not waits or scene.intent.goal != "deploy" or done(scene)

    return holds


def healthy(scene: Scene) -> Callable[[MachineSeen], bool]:
    """Whether a machine of green is healthy. The release that a rollback goes back to was verified under another
    spec: whatever checks it reports must pass, and some must be there.
    """
    spec = scene.intent.spec

    def every_check_passes(machine: MachineSeen) -> bool:
        """Zero checks are not healthy (INCIDENTS 11): all that the spec expects must be there."""
        names = {check.name for check in machine.checks}
        of_services = sum(name.startswith("servicecheck-") for name in names)
        complete = of_services >= spec.service_check_count and names >= set(spec.checks)
        return complete and all(check.passing for check in machine.checks)

    return reported_well if scene.intent.goal == "rollback" else every_check_passes


def reported_well(machine: MachineSeen) -> bool:
    return bool(machine.checks) and all(check.passing for check in machine.checks)


def green_is_healthy(scene: Scene) -> bool:
    return all(healthy(scene)(machine) for machine in scene.green)


def blue_is_healthy(scene: Scene) -> bool:
    """Blue may have been verified under another spec: whatever checks it reports must pass, and some must be there."""
    machines = scene.of(Role.BLUE) if scene.intent.disturbed else ()
    return all(map(reported_well, machines))


def stayed_healthy(scene: Scene) -> bool:
    return not seconds(scene.intent.spec.min_healthy) or scene.observation.stayed_healthy


def test_passed(name: str) -> Done:
    return lambda scene: name in scene.observation.tests


def every_test_passed(scene: Scene) -> bool:
    return all(test.name in scene.observation.tests for test in scene.intent.spec.tests)


def owner_is_checked(scene: Scene) -> bool:
    """There is nothing to check where nothing is proven."""
    proves = scene.intent.spec.state_store or any(machine.must_prove for machine in scene.of(Role.BLUE))
    return not proves or scene.observation.owner_checked


def rehearsed(scene: Scene) -> bool:
    """There is nothing to rehearse with before the first cluster has saved anything."""
    return not scene.intent.spec.rehearsal or not scene.blue or scene.observation.rehearsed


def approved(scene: Scene) -> bool:
    spec = scene.intent.spec
    return spec.approval == "none" or spec.approved_release == str(scene.intent.release) or not scene.blue


def drains_alive(machine: MachineSeen) -> bool:
    """Whether it can be drained without being stopped, and still runs."""
    return machine.drain.type != "stop" and machine.state == "started"


def marked_for_drain(machine: MachineSeen) -> bool:
    """Whether all that has to be known before it drains is known: its way in, and its marker of before."""
    by_marker = machine.state == "started" and machine.state_proof.type == "marker"
    return not (drains_alive(machine) or by_marker) or bool(machine.draining)


def quiesced(scene: Scene) -> bool:
    done = scene.observation.quiesced
    return all(machine.id in done for machine in scene.of(Role.BLUE) if drains_alive(machine))


def _saved(scene: Scene, machine: MachineSeen) -> bool:
    proof = scene.observation.proofs.get(machine.id)
    return not machine.must_prove or (proof is not None and proof.holds)


def proven_saved_alive(scene: Scene) -> bool:
    return all(_saved(scene, machine) for machine in scene.of(Role.BLUE) if drains_alive(machine))


def proven_saved(scene: Scene) -> bool:
    """Those that drain alive are proven before they are stopped."""
    return all(_saved(scene, machine) for machine in scene.of(Role.BLUE) if not drains_alive(machine))


def ended_well(scene: Scene) -> bool:
    """'Stopped' is not 'saved'. How a machine ended matters no more once its state was proven while it lived."""
    proofs = scene.observation.proofs
    ended = (m for m in scene.of(Role.BLUE) if not drains_alive(m) and m.id not in proofs)
    return all(graceful(machine) and machine.readable for machine in ended)


def not_draining(machine: MachineSeen) -> bool:
    return not machine.draining


def resumed(machine: MachineSeen) -> bool:
    """One that does not run has nothing to resume: it is started first."""
    return not machine.draining or machine.state != "started"


def commit_is_settled(scene: Scene) -> bool:
    """A commit whose answer was lost may still land, one of a run that was suspended too, and one of a deployment that
    was given up has landed: blue takes the next number before it serves again.
    """
    unsure = scene.observation.commit_unsure or scene.late_commit
    return not scene.blue or (not unsure and not_contested(scene))


def not_contested(scene: Scene) -> bool:
    return not scene.intent.contested or scene.observation.reclaimed


def answered_elsewhere(answer: Answer, machines: Iterable[MachineSeen]) -> str:
    """Who answered instead of one of these machines in the region that was asked; empty where nobody can tell.

    Where the proxy routes to none of a region, it takes the question to another one: that region is dark.
    """
    if not answer.machine_id:
        return ""
    regions = [machine.region for machine in machines if machine.id == answer.machine_id]
    if answer.region in regions:
        return ""
    return f"machine {answer.machine_id} answers" + (f", which is in {regions[0]}" if regions else "")


def answered_by(role: Role) -> Done:
    """Every region of the cluster has answered from outside, and nobody but the cluster's machines there."""

    def done(scene: Scene) -> bool:
        answers = scene.observation.answers
        if isinstance(answers, Unknown):
            return False
        machines = scene.of(role)
        regions = {machine.region for machine in machines}
        return regions <= {answer.region for answer in answers if not answered_elsewhere(answer, machines)}

    return done


def joined(scene: Scene) -> bool:
    return not any(machine.unjoined for machine in scene.green)


def committed(scene: Scene) -> bool:
    return scene.committed


def green_is_recorded(scene: Scene) -> bool:
    return bool(scene.green) and all(scene.proven(machine) for machine in scene.green)


def green_answers(scene: Scene) -> bool:
    """The record is written after the proof, so it stands for the proof of the run that wrote it."""
    return green_is_recorded(scene) or answered_by(Role.GREEN)(scene)


def green_seen_again(scene: Scene) -> bool:
    """Green was looked at again after the drain; without a drain the verify phase has just done it."""
    return not scene.blue or scene.observation.green_seen_again


def green_is_healthy_or_recorded(scene: Scene) -> bool:
    return all(scene.proven(machine) or healthy(scene)(machine) for machine in scene.green)


def blue_answers(scene: Scene) -> bool:
    return not scene.of(Role.BLUE) or not scene.intent.disturbed or answered_by(Role.BLUE)(scene)


def baked(scene: Scene) -> bool:
    """Over once the cluster before was retired; a first deploy has nothing to go back to."""
    unretired = not all(is_retired(machine, scene.observation) for machine in scene.of(Role.BLUE))
    return not seconds(scene.intent.spec.bake) or not unretired or scene.observation.baked


def kept_warm(scene: Scene) -> bool:
    """A cluster that lost a machine is not worth keeping, and no configuration leads back to one of `fly deploy`."""
    adopted = any(machine.adopted for machine in scene.blue)
    wanted = seconds(scene.intent.spec.keep_warm) and not scene.intent.lost and not adopted
    return not wanted or all(is_retired(machine, scene.observation) for machine in scene.of(Role.BLUE))


def green_is_gone_or_kept(scene: Scene) -> bool:
    return scene.intent.spec.keep_failed_green or not scene.green


def blue_is_recorded_again(scene: Scene) -> bool:
    """A blue that took the state back under a new number is marked with it, or the next run would prove it again."""
    owner = scene.ownership
    reclaimed = owner is not None and owner.release == scene.intent.blue
    return not reclaimed or all(owner and machine.serving == owner.number for machine in scene.of(Role.BLUE))


RUNNING = frozenset({"created", "starting", "started", "restarting", "updating", "replacing"})


def cordoned(machine: MachineSeen) -> bool:
    return machine.cordoned


def dead(scene: Scene) -> tuple[MachineSeen, ...]:
    """Blue's machines that had ended before this run began, and have not come back."""
    going = scene.of(Role.BLUE)
    return tuple(machine for machine in scene.blue if machine not in going)


def blue_is_cordoned(scene: Scene) -> bool:
    """The dead as well, which may come back routed beside green; but for those whose hosts do not answer."""
    excused = scene.observation.excused
    return each(Role.BLUE, cordoned)(scene) and all(m.cordoned or m.id in excused for m in dead(scene))


def uncordoned(machine: MachineSeen) -> bool:
    return not machine.cordoned


def uncordoned_or_marked(machine: MachineSeen) -> bool:
    """One that may have quiesced is routed when it has resumed, not before."""
    return not machine.cordoned or machine.draining is not None


def cordoned_or_ended(machine: MachineSeen) -> bool:
    return machine.cordoned or machine.state not in RUNNING


def green_is_registered_or_marked(scene: Scene) -> bool:
    return all(machine.draining or scene.registered(machine) for machine in scene.green)


def green_is_registered(scene: Scene) -> bool:
    return all(scene.registered(machine) for machine in scene.green)


def is_back(scene: Scene) -> bool:
    """What runs of blue's, and works, is routed; one that may have quiesced works again before it is."""
    working = (m for m in scene.of(Role.DOWN) if m.state == "started" and not m.draining)
    return all(scene.registered(machine) for machine in working)


def none_to_start_or(done: Done) -> Done:
    return lambda scene: each(Role.DOWN, told_to_start)(scene) or done(scene)


def started(machine: MachineSeen) -> bool:
    return machine.state == "started"


def settled(machine: MachineSeen) -> bool:
    return machine.state != "stopping"


def told_to_start(machine: MachineSeen) -> bool:
    return machine.state in RUNNING


def told_to_stop(machine: MachineSeen) -> bool:
    return machine.state not in RUNNING


def graceful(machine: MachineSeen) -> bool:
    return machine.exit is not None and machine.exit.graceful
