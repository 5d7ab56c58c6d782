"""What the next `up`, or a `destroy`, would do, without Pulumi's state: what has to be assumed for it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bluegreen.differing import differing
from bluegreen.looking import machines_of, observe
from bluegreen.target import Target
from providers.bluegreen.commits import newest_committed
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import Request, preview
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.fly import Machine
from providers.planning import Planned
from providers.session import open_context

UNSEEN = "nothing that a machine shows: secret_env, if anything"


class _AsServing(Spec):
    """A spec of which the secrets are not known, taken for the release that serves."""

    assumed: str

    @property
    def digest(self) -> str:
        return self.assumed


@dataclass(frozen=True)
class Explained:
    """``planned`` is what would be done; ``assumed``: what had to be assumed for it."""

    planned: Planned
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class _Running:
    """The release that owns the state, by its machines: as they are seen, and as Fly shows them."""

    digest: str
    machines: tuple[tuple[MachineSeen, Machine], ...]

    def differing(self, spec: Spec) -> list[list[str]]:
        return [differing(spec, machine, seen) for seen, machine in self.machines]


async def explain_destroy(target: Target) -> Explained:
    """What `pulumi destroy` would do from here. Raises ``CannotLook``, ``NoToken``."""
    async with open_context(target.spec, lambda event: None) as ctx:
        owns_app = any(machine.app_created for machine in (await observe(ctx)).seen)
        scene, steps = await preview(ctx, Request("destroy", owns_app=owns_app))
    assumed = (
        ["what `ingress` made is given back after that: Pulumi's state knows it"] if target.ingress else []
    )
    return Explained(Planned(scene, steps, None), tuple(assumed))


async def explain_up(target: Target) -> Explained:
    """What `pulumi up` would do from here. Raises ``CannotLook``, ``NoToken``."""
    async with open_context(target.spec, lambda event: None) as ctx:
        running = await _running(ctx)
    spec, assumed = target.spec, list[str]()
    if target.built:
        spec = _with_image(spec, running, assumed)
    if "secret_env" in target.encrypted:
        spec = _without_secrets(spec, running, assumed)
    known_later = ["image"] if target.built and running is None else []
    async with open_context(spec, lambda event: None) as ctx:
        scene, steps = await preview(ctx, Request())
    told = _changes(scene, steps, running)
    return Explained(Planned(scene, steps, None, told, known_later), tuple(assumed))


async def _running(ctx: Context) -> _Running | None:
    """``None`` where nothing serves, or no machine of it shows its config: its host does not answer."""
    owner = newest_committed(await observe(ctx))
    there = {machine.id: machine for machine in await machines_of(ctx) if machine.config}
    pairs = tuple((seen, there[seen.id]) for seen in owner.machines if seen.id in there) if owner else ()
    return _Running(owner.release.digest, pairs) if owner and pairs else None


def _with_image(spec: Spec, running: _Running | None, assumed: list[str]) -> Spec:
    """What is built has no digest before `up` has built it. Taken for what serves, as the secrets are."""
    if running is None:
        assumed.append("the image is built by `up`, which so names the release")
        return spec
    image = running.machines[0][1].image
    assumed.append(
        f"the image is built by `up`: it is assumed to be the one that serves, {image}; if its source has changed, "
        "`up` rolls out"
    )
    return spec.model_copy(update={"image": image})


def _without_secrets(spec: Spec, running: _Running | None, assumed: list[str]) -> Spec:
    """Where all that can be compared is as it runs, the secrets are taken to be so, too."""
    told = "secret_env is encrypted in the stack's file, and is not decrypted here"
    if running is None or all(map(_makes_a_release, running.differing(spec))):
        assumed.append(f"{told}: that makes no difference, since something else has changed")
        return spec
    assumed.append(f"{told}: it is assumed to be as it was; if it is not, `up` rolls out")
    given: dict[str, Any] = dict(spec) | {"assumed": running.digest}
    return _AsServing.model_validate(given)


def _makes_a_release(differing: list[str]) -> bool:
    """Counts and regions alone make no other one."""
    return any(not line.startswith("regions") for line in differing)


def _changes(scene: Scene, steps: list[PlannedStep], running: _Running | None) -> list[str]:
    """What differs from what serves, where that is why; of a machine that was changed by hand, the reasons tell it."""
    if not steps or running is None or running.digest == scene.intent.release.digest:
        return []
    return min(running.differing(scene.intent.spec), key=len) or [UNSEEN]
