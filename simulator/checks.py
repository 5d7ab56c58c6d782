"""Health checks: which a machine has, and the loops that make them while its program runs.

Checks of services gate routing, top-level ones only with `kind: readiness`. A failing check never restarts anything.
A failure within the grace period counts for nothing; the first success ends the wait for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from simulator.config import CheckConfig, MachineConfig
from simulator.model import Check, Machine
from simulator.runtime import Finding, Probe, Program
from simulator.world import World

DEFAULT_INTERVAL = 10.0
DEFAULT_TIMEOUT = 2.0
# Fly has an undocumented floor; this one keeps a zero from spinning.
SHORTEST_INTERVAL = 0.05


@dataclass(frozen=True)
class Plan:
    """A check that a config asks for, with its name in reports."""

    name: str
    gates: bool
    port: int
    config: CheckConfig


def plan_checks(spec: MachineConfig) -> list[Plan]:
    """All checks of a config: services' first, numbered through, then top-level ones by their keys."""
    return [*_service_checks(spec), *_top_level_checks(spec)]


def _service_checks(spec: MachineConfig) -> Iterator[Plan]:
    pairs = [(service, check) for service in spec.services or [] for check in service.checks or []]
    for number, (service, check) in enumerate(pairs):
        port = check.port or service.internal_port
        yield Plan(f"servicecheck-{number:02d}-{check.type or 'tcp'}-{port}", True, port, check)


def _top_level_checks(spec: MachineConfig) -> Iterator[Plan]:
    port_of_service = next((service.internal_port for service in spec.services or []), 8080)
    for name, check in (spec.checks or {}).items():
        yield Plan(name, check.kind == "readiness", check.port or port_of_service, check)


def start_checks(world: World, machine: Machine, program: Program, tasks: TaskGroup) -> None:
    """Give a machine that has just started fresh reports, all critical, and begin to check."""
    plans = plan_checks(machine.spec)
    now = world.clock.now()
    machine.checks = [Check(plan.name, plan.gates, "critical", "not checked yet", now) for plan in plans]
    for plan, check in zip(plans, machine.checks, strict=True):
        tasks.start_soon(_repeat, world, machine, program, plan, check)


def end_checks(machine: Machine, now: float) -> None:
    """A machine whose program has ended passes nothing."""
    for check in machine.checks:
        check.status, check.output, check.updated_at = "critical", "the machine is not running", now


async def _repeat(world: World, machine: Machine, program: Program, plan: Plan, check: Check) -> None:
    interval = max(SHORTEST_INTERVAL, _default(plan.config.interval, DEFAULT_INTERVAL))
    grace_ends = anyio.current_time() + (plan.config.grace_period or 0.0)
    probe = describe_probe(plan, machine.address)
    while True:
        next_due = anyio.current_time() + interval
        if machine.state != "suspended":
            finding = await program.probe(probe)
            if finding.passing or anyio.current_time() >= grace_ends:
                _report(world, machine, check, finding)
        await anyio.sleep(max(0.0, next_due - anyio.current_time()))


def describe_probe(plan: Plan, address: str) -> Probe:
    """The request that a check makes."""
    config = plan.config
    return Probe(
        type=config.type or "tcp",
        address=address,
        port=plan.port,
        method=(config.method or "GET").upper(),
        path=config.path or "/",
        headers=tuple((header.name, value) for header in config.headers or [] for value in header.values),
        timeout=_default(config.timeout, DEFAULT_TIMEOUT) or DEFAULT_TIMEOUT,
    )


def _report(world: World, machine: Machine, check: Check, finding: Finding) -> None:
    status = "passing" if finding.passing else "critical"
    turned = status != check.status
    check.status, check.output, check.updated_at = status, finding.output, world.clock.now()
    if turned:
        world.publish(machine, f"check {check.name} is {status}")


def _default(value: float | None, default: float) -> float:
    return default if value is None else value
