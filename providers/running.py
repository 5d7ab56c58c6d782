"""A deployment, or a look at the world, for a call of Pulumi's: in a context of its own, told to its audience."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import anyio

from providers import outputs
from providers.audience import audience
from providers.bluegreen import report
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.events import Event, Hear
from providers.bluegreen.spec import Spec
from providers.console import console
from providers.partial import DeploymentFailed, Reached
from providers.progress import progress
from providers.session import NoToken, open_context

Props = dict[str, Any]
T = TypeVar("T")


def run(spec: Spec, request: Request, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Props:
    """The outputs that the deployment reached. Raises ``DeploymentFailed``, with those that it reached all the same."""
    secrets = request.previous_secrets
    with console() as row:
        outcome = in_context(spec, progress(row), lambda ctx: deploy(ctx, request))
        text = report.outcome_text(spec.app, outcome)
        if not outcome.succeeded:
            deploys = request.goal == "deploy"  # of a destroy that failed, Pulumi keeps all that it knew
            reached = outputs.of_failure(spec, outcome, olds, news, secrets) if deploys else None
            raise DeploymentFailed(text, Reached(spec.app, reached) if reached else None)
        row(text)
    return outputs.of_outcome(spec, outcome, olds, secrets)


def silent(event: Event) -> None:
    """For looks that people did not ask for."""


def in_context(spec: Spec, hear: Hear, work: Callable[[Context], Coroutine[Any, Any, T]]) -> T:
    """What ``work`` finds, or does. Raises ``DeploymentFailed`` where nothing could be decided."""

    async def main() -> T:
        async with audience(spec, hear) as heard, open_context(spec, heard) as ctx:
            return await work(ctx)

    try:
        return anyio.run(main)
    except (NoToken, CannotLook) as error:
        raise DeploymentFailed(f"{spec.app}: nothing was changed: {error}") from None
