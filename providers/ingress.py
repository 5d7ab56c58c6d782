"""The dynamic resource of an app's public addresses and certificates.

It comes before the machines: the first deploy proves from outside that it is answered. Import path and type are part
of state files: stable for ever, as the deployment's own (``providers.resource``).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import anyio
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from providers import claims
from providers.console import console
from providers.fly import Api, FlyError, connect
from providers.ingress_calls import Props, give_back, keep_app, look_or_none, make_app, provide
from providers.ingress_made import Made
from providers.partial import DeploymentFailed, Reached, told_to_engine
from providers.session import NoToken, api_address, fly_token

T = TypeVar("T")


class IngressFailed(DeploymentFailed):
    """What Pulumi prints: the call that failed. What was made before it is recorded in its state all the same."""


class FlyIngressProvider(ResourceProvider):
    """Uses what is there and makes what is missing; gives back what it made itself, and nothing else."""

    def create(self, props: Props) -> CreateResult:
        with told_to_engine():
            return CreateResult(props["app"], _reach(props, {}))

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Another app's ingress is made before the old one's is given back: if that fails, the old app still serves."""
        replaces = [key for key in ("app", "org") if olds.get(key) != news.get(key)]
        lacking = set(news["ips"]) - set((olds.get("addresses") or {}).values())
        lacking |= set(news["certificates"]) - set(olds.get("certificate_status") or {})
        changes = any(olds.get(key) != news.get(key) for key in ("ips", "certificates", "api_url"))
        return DiffResult(changes=bool(replaces or lacking or changes), replaces=replaces)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        with told_to_engine():
            return UpdateResult(_reach(news, olds))

    def read(self, id_: str, props: Props) -> ReadResult:
        with told_to_engine():
            seen = _run(props, lambda api: look_or_none(api, props))
        return ReadResult(id_, props | seen) if seen is not None else ReadResult(None, {})

    def delete(self, id_: str, props: Props) -> None:
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
        seen = {key: olds.get(key) or {} for key in _SEEN}
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


class FlyIngressResource(Resource, module="fly", name="FlyIngress"):
    """The custom resource behind ``ingress``. ``addresses``: address → kind; ``dns_requirements``: by hostname."""

    addresses: Output[dict[str, str]]
    certificate_status: Output[dict[str, str]]
    dns_requirements: Output[dict[str, Any]]
    app_created: Output[bool]
    own_ips: Output[list[str]]
    own_certificates: Output[list[str]]

    def __init__(
        self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__(FlyIngressProvider(), name, {**props, **dict.fromkeys(_SEEN + _MADE)}, opts)

    @property
    def made(self) -> Output[str]:
        """For the deployment, which records it on its machines."""
        own: Output[dict[str, Any]] = Output.all(**{key: getattr(self, key) for key in _MADE})
        return own.apply(lambda own: Made.of_state(own).text)


_SEEN = ("addresses", "certificate_status", "dns_requirements")
_MADE = ("app_created", "own_ips", "own_certificates")
