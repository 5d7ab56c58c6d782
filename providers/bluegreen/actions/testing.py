"""verify: tests of green, each on as many of its machines as its scope says, before anything changes for users."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio
from pydantic import SecretStr

from providers.bluegreen import durations, journal
from providers.bluegreen.actions.short_lived import Task, run_to_its_end
from providers.bluegreen.actions.together import each_or_fail
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import MachineSeen, Observation, TestResult
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_gates import CommandTest, ExecTest, HttpTest, MachineTest, Scope, Test
from providers.fly import Conflict
from providers.gates.asking import ask
from providers.gates.commands import CommandEnd, deployer_environment, run_command

AT_ONCE = 10
"""How many machines one test is run on at a time: 50 children of the deployer at once test the deployer."""
SHOWN_LINES = 5
EXEC_LINES = 200
"""How many lines of a command inside a machine are shown: Fly answers with all of them at its end."""


@dataclass(frozen=True)
class Target:
    """One run of a test: on its first machine, about all of ``machines``. ``where`` names them for people."""

    where: str
    machines: tuple[MachineSeen, ...]

    @property
    def machine(self) -> MachineSeen:
        return self.machines[0]


def targets(scope: Scope, machines: Sequence[MachineSeen]) -> list[Target]:
    """What a scope means for a cluster's machines (by name)."""
    if scope == "once":
        return [Target("once", tuple(machines))]
    if scope == "per-machine":
        return [Target(f"machine {m.id} ({m.name})", (m,)) for m in machines]
    regions = sorted({machine.region for machine in machines})
    return [Target(f"region {r}", tuple(m for m in machines if m.region == r)) for r in regions]


async def run_test(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Run the step's test everywhere; the first that fails ends the others. Blue is not touched, whatever comes out."""
    test = next(test for test in ctx.spec.tests if test.name == step.row.subject)
    limiter = anyio.CapacityLimiter(AT_ONCE)
    began = anyio.current_time()
    where = targets(test.scope, step.machines)

    async def one(target: Target) -> str:
        async with limiter:
            return await within(
                test.deadline, f"{test.name} ({target.where})", lambda: _run(ctx, scene, test, target)
            )

    found = await each_or_fail(where, one)
    summary = f"{test.type}, {test.scope}: {found[0]}" + (f" × {len(found)}" if len(found) > 1 else "")
    took = anyio.current_time() - began
    result = TestResult(test.name, took, summary, ctx.now() - took)
    ctx.say(f"test {test.name} passed in {result.seconds:.1f} s: {summary}")
    return replace(scene.observation, tests={**scene.observation.tests, test.name: result})


async def within(deadline: str, what: str, run: Callable[[], Awaitable[str]]) -> str:
    """Run it within its own deadline. Raises ``GateFailed`` that says so."""
    try:
        with anyio.fail_after(durations.seconds(deadline)):
            return await run()
    except TimeoutError:
        raise GateFailed(f"{what} was not done within {deadline}") from None


async def _run(ctx: Context, scene: Scene, test: Test, target: Target) -> str:
    """The test on one target. Raises ``GateFailed`` with what it found instead; answers it in a few words."""
    match test:
        case HttpTest():
            return await _over_http(ctx, test, target)
        case CommandTest():
            return await _command(ctx, scene, test, target)
        case ExecTest():
            return await _inside(ctx, test, target)
        case MachineTest():
            return await _beside(ctx, scene, test, target)


async def _over_http(ctx: Context, test: HttpTest, target: Target) -> str:
    base_url = await ctx.tunnels.url(target.machine, test.port or _port(ctx.spec))
    try:
        return await ask(ctx.private, base_url, test, scrubber=ctx.scrubber)
    except GateFailed as error:
        raise _failed(test, target, *error.reasons) from None


def _port(spec: Spec) -> int:
    """The app's own port: that of its first service, or of its first check that names one."""
    ports = [service.internal_port for service in spec.services]
    return next(iter([*ports, *(check.port for check in spec.checks.values() if check.port)]), 8080)


async def _command(ctx: Context, scene: Scene, test: CommandTest, target: Target) -> str:
    port = test.port or _port(ctx.spec)
    urls = [await ctx.tunnels.url(machine, port) for machine in target.machines]
    command = Command(f"test {test.name}", test.argv, about(scene, target, urls), test.env, test.deadline)
    end = await stream(ctx, command)
    if not end.passed:
        raise _failed(test, target, str(end))
    return "exit code 0"


def about(scene: Scene, target: Target, urls: Sequence[str]) -> dict[str, str]:
    """What a command on the deployer's side is told: lists are separated by spaces, in the same order."""
    return {
        "BLUEGREEN_APP": scene.intent.spec.app,
        "BLUEGREEN_RELEASE": str(scene.intent.release),
        "BLUEGREEN_REGIONS": " ".join(sorted({machine.region for machine in target.machines})),
        "BLUEGREEN_MACHINES": " ".join(machine.id for machine in target.machines),
        "BLUEGREEN_URLS": " ".join(urls),
    }


@dataclass(frozen=True)
class Command:
    """A command of the deployer's side: what it is ``told`` by us, and ``given`` by the user, maybe secret."""

    what: str
    argv: Sequence[str]
    told: Mapping[str, str]
    given: Mapping[str, SecretStr]
    deadline: str


async def stream(ctx: Context, command: Command) -> CommandEnd:
    """Run a command and show what it says, line by line."""
    given = {name: value.get_secret_value() for name, value in command.given.items()}
    return await run_command(
        command.argv,
        env=deployer_environment({**command.told, **given}),
        heed=lambda line: ctx.say(f"{command.what} | {line}"),
        deadline_s=durations.seconds(command.deadline),
        scrubber=ctx.scrubber.also(given.values()),
    )


async def _inside(ctx: Context, test: ExecTest, target: Target) -> str:
    timeout_s = durations.seconds(test.deadline)
    try:
        async with ctx.lock.given_up(target.machine):
            end = await ctx.machines.exec(target.machine.id, test.argv, timeout_s)
    except Conflict as error:
        raise _failed(
            test, target, f"exec is refused while somebody holds the machine's lease: {error}"
        ) from None
    lines = [ctx.scrub(line) for line in (end.stdout + end.stderr).splitlines()[-EXEC_LINES:]]
    for line in lines:
        ctx.say(f"test {test.name} | {line}")
    if end.exit_code:
        raise _failed(test, target, f"{test.argv[0]} exited with code {end.exit_code}", *lines[-SHOWN_LINES:])
    return "exit code 0"


async def _beside(ctx: Context, scene: Scene, test: MachineTest, target: Target) -> str:
    env = {name: value.get_secret_value() for name, value in test.env.items()}
    private = [f"[{m.private_ip}]" if ":" in m.private_ip else m.private_ip for m in target.machines]
    urls = [f"http://{address}:{_port(ctx.spec)}" for address in private]
    task = Task(
        f"test {test.name}",
        name=f"{test.name}-{target.machine.region}-{target.machine.id[:6]}",
        region=target.machine.region,
        image=test.image or ctx.spec.image,
        argv=test.argv,
        env={**journal.environment_of(scene.intent), **about(scene, target, urls), **env},
        secrets=env.values(),
    )
    return await run_to_its_end(ctx, scene, task)


def _failed(test: Test, target: Target, *reasons: str) -> GateFailed:
    first, *more = reasons
    return GateFailed(f"test {test.name} failed ({target.where}): {first}", *more)
