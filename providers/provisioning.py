"""What Pulumi's calls do about an app's ingress: uses what is there and makes what is missing; gives back its own.

Apart from the provider itself, which a program loads for its name alone: this loads the client of Fly's API.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import anyio
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from providers import claims
from providers.console import console
from providers.fly import Api, FlyError, connect
from providers.ingress import SEEN
from providers.ingress_calls import Props, give_back, keep_app, look_or_none, make_app, provide
from providers.ingress_made import Made
from providers.partial import DeploymentFailed, Reached, told_to_engine
from providers.session import NoToken, api_address, fly_token

T = TypeVar("T")


class IngressFailed(DeploymentFailed):
    """What Pulumi prints: the call that failed. What was made before it is recorded in its state all the same."""


def create(props: Props) -> CreateResult:
    """What is missing is made. Raises ``IngressFailed``, as all of these."""
    with told_to_engine():
        return CreateResult(props["app"], _reach(props, {}))


def update(olds: Props, news: Props) -> UpdateResult:
    """The same, from what was made before."""
    with told_to_engine():
        return UpdateResult(_reach(news, olds))


def read(id_: str, props: Props) -> ReadResult:
    """What is there of it; no id where nothing is."""
    with told_to_engine():
        seen = _run(props, lambda api: look_or_none(api, props))
    return ReadResult(id_, props | seen) if seen is not None else ReadResult(None, {})


def delete(props: Props) -> None:
    """What was made here is given back, and the app with it where it was made here too."""
    app, made = props["app"], Made.of_state(props)
    if claims.is_claimed("ingress", app):
        _tell_what_stays(app, made)
        return  # renamed without an alias: the resource of the new name has the app's ingress now
    with told_to_engine():
        _run(props, lambda api: give_back(api, app, made))


def _reach(news: Props, olds: Props) -> Props:
    """The outputs. What was made before a call fails is kept with the failure, and so is known to the next run."""
    made = Made.of_state(olds)

    async def work(api: Api) -> Props:
        nonlocal made
        if olds:
            await keep_app(api, news["app"], news["org"], made)
        else:
            made = await make_app(api, news["app"], news["org"])
            claims.claim("ingress", news["app"], made.words())
        return await provide(api, news, made)

    try:
        return news | _run(news, work) | made.outputs
    except IngressFailed as failed:
        if made == Made.of_state(olds):
            raise
        seen = {key: olds.get(key) or {} for key in SEEN}
        raise IngressFailed(str(failed), Reached(news["app"], news | seen | made.outputs)) from None


def _run(props: Mapping[str, Any], work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        async with connect(fly_token(), api_address(props.get("api_url"))) as api:
            return await work(api)

    try:
        return anyio.run(main)
    except (NoToken, FlyError) as error:
        raise IngressFailed(f"ingress of {props['app']}: {error}") from None


def _tell_what_stays(app: str, made: Made) -> None:
    """What the old name made, and the new one cannot know to be its own."""
    stays = [word for word in made.words() if word not in claims.given_back_later("ingress", app)]
    if stays:
        with console() as say:
            say(
                f"renamed without an alias: no machine of app {app} records that {', '.join(stays)} was made here, so "
                "a destroy leaves it"
            )
