"""How the world looks when a step is done: conditions of scenes and machines, named by the lifecycle's rows. Pure."""

from __future__ import annotations

from collections.abc import Callable

from providers.bluegreen.model import MachineSeen, Role, Unknown
from providers.bluegreen.scene import Scene

Done = Callable[[Scene], bool]


def each(role: Role, holds: Callable[[MachineSeen], bool]) -> Done:
    return lambda scene: all(holds(machine) for machine in scene.of(role))


def none_left(role: Role) -> Done:
    return lambda scene: not scene.of(role)


def app_exists(scene: Scene) -> bool:
    return scene.observation.app_exists is True


def app_stays_or_is_gone(scene: Scene) -> bool:
    return not scene.intent.remove_app or scene.observation.app_exists is False or scene.observation.app_kept


def secrets_are_set(scene: Scene) -> bool:
    """Machines are created after the secrets were set: one that exists shows that they are."""
    return not scene.intent.spec.secret_env or bool(scene.green) or scene.observation.secrets_set


def secrets_are_still_set(scene: Scene) -> bool:
    """A rollout that was given up may have left its own: its machines tell of it."""
    return not scene.intent.spec.secret_env or not scene.of(Role.STRAY) or scene.observation.secrets_set


def all_created(scene: Scene) -> bool:
    """Every machine of green exists, by name."""
    return set(scene.intent.wanted) <= {machine.name for machine in scene.green}


def secrets_are_blues(scene: Scene) -> bool:
    return not scene.intent.previous_secrets or scene.observation.secrets_restored


def _healthy(scene: Scene) -> Callable[[MachineSeen], bool]:
    spec = scene.intent.spec

    def every_check_passes(machine: MachineSeen) -> bool:
        """Zero checks are not healthy (INCIDENTS 11): all that the spec expects must be there."""
        names = {check.name for check in machine.checks}
        of_services = sum(name.startswith("servicecheck-") for name in names)
        complete = of_services >= spec.service_check_count and names >= set(spec.checks)
        return complete and all(check.passing for check in machine.checks)

    return every_check_passes


def green_is_healthy(scene: Scene) -> bool:
    return all(_healthy(scene)(machine) for machine in scene.green)


def blue_is_healthy(scene: Scene) -> bool:
    """Blue may have been verified under another spec: whatever checks it reports must pass, and some must be there."""
    machines = scene.of(Role.BLUE) if scene.intent.disturbed else ()
    return all(machine.checks and all(check.passing for check in machine.checks) for machine in machines)


def proven_saved(scene: Scene) -> bool:
    proofs = scene.observation.proofs
    return all(
        machine.id in proofs and proofs[machine.id].holds
        for machine in scene.of(Role.BLUE)
        if machine.state_store
    )


def answered_by(role: Role) -> Done:
    """Every region of the cluster has answered from outside, and nobody but the cluster."""

    def done(scene: Scene) -> bool:
        answers = scene.observation.answers
        if isinstance(answers, Unknown):
            return False
        ids = {machine.id for machine in scene.of(role)} | {""}
        regions = {machine.region for machine in scene.of(role)}
        return regions <= {answer.region for answer in answers if answer.machine_id in ids}

    return done


def committed(scene: Scene) -> bool:
    return scene.committed


def green_is_recorded(scene: Scene) -> bool:
    return bool(scene.green) and all(machine.proven for machine in scene.green)


def green_answers(scene: Scene) -> bool:
    """The record is written after the proof, so it stands for the proof of the run that wrote it."""
    return green_is_recorded(scene) or answered_by(Role.GREEN)(scene)


def green_seen_again(scene: Scene) -> bool:
    """Green was looked at again after the drain; without a drain the verify phase has just done it."""
    return not scene.blue or scene.observation.green_seen_again


def green_is_healthy_or_recorded(scene: Scene) -> bool:
    return all(machine.proven or _healthy(scene)(machine) for machine in scene.green)


def blue_answers(scene: Scene) -> bool:
    return not scene.of(Role.BLUE) or not scene.intent.disturbed or answered_by(Role.BLUE)(scene)


RUNNING = frozenset({"created", "starting", "started", "restarting", "updating", "replacing"})


def cordoned(machine: MachineSeen) -> bool:
    return machine.cordoned


def uncordoned(machine: MachineSeen) -> bool:
    return not machine.cordoned


def registered(machine: MachineSeen) -> bool:
    """Uncordoned by this run, or proven routed by an earlier one and still uncordoned. One that merely shows as
    uncordoned may have been created away from the proxy.
    """
    return not machine.cordoned and (machine.proven or machine.registered)


def started(machine: MachineSeen) -> bool:
    return machine.state == "started"


def stopped(machine: MachineSeen) -> bool:
    return machine.state == "stopped"


def settled(machine: MachineSeen) -> bool:
    return machine.state != "stopping"


def told_to_start(machine: MachineSeen) -> bool:
    return machine.state in RUNNING


def told_to_stop(machine: MachineSeen) -> bool:
    return machine.state not in RUNNING


def graceful(machine: MachineSeen) -> bool:
    return machine.exit is not None and machine.exit.graceful
