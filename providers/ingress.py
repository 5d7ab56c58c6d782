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

from providers.fly import (
    Api,
    Apps,
    Certificates,
    FlyError,
    Invalid,
    IpAssignments,
    Machines,
    NotFound,
    connect,
)
from providers.fly.retries import borne
from providers.session import NoToken, api_address, fly_token

Props = dict[str, Any]
T = TypeVar("T")


class IngressFailed(Exception):
    """What Pulumi prints: the call that failed, and what was done before it stays."""


class FlyIngressProvider(ResourceProvider):
    """Uses what is there and makes what is missing; gives back what it made itself, and nothing else."""

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["app"], props | _run(props, lambda api: _provide(api, props, {})))

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        replaces = [key for key in ("app", "org") if olds.get(key) != news.get(key)]
        lacking = set(news["ips"]) - set((olds.get("addresses") or {}).values())
        lacking |= set(news["certificates"]) - set(olds.get("certificate_status") or {})
        changes = any(olds.get(key) != news.get(key) for key in ("ips", "certificates", "api_url"))
        return DiffResult(changes=bool(replaces or lacking or changes), replaces=replaces)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(news | _run(news, lambda api: _provide(api, news, olds)))

    def read(self, id_: str, props: Props) -> ReadResult:
        seen = _run(props, lambda api: _look_or_none(api, props))
        return ReadResult(id_, props | seen) if seen is not None else ReadResult(None, {})

    def delete(self, id_: str, props: Props) -> None:
        _run(props, lambda api: _give_back(api, props))


def _run(props: Mapping[str, Any], work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        async with connect(fly_token(), api_address(props.get("api_url"))) as api:
            return await work(api)

    try:
        return anyio.run(main)
    except (NoToken, FlyError) as error:
        raise IngressFailed(f"ingress of {props['app']}: {error}") from None


async def _provide(api: Api, news: Props, olds: Props) -> Props:
    """Make what is missing, give back what is no longer wanted, and say what there is."""
    app = news["app"]
    made = bool(olds.get("app_created")) or await _create_app(api, app, news["org"])
    ips, certificates = IpAssignments(api, app), Certificates(api, app)
    async for attempt in borne(NotFound):  # an app that was created just now
        with attempt:
            there = await ips.list()
    own = [ip for ip in olds.get("own_ips") or () if ip in there]
    for ip in [ip for ip in own if there[ip] not in news["ips"]]:
        await ips.release(ip)
        own.remove(ip)
    own += [await ips.assign(kind) for kind in news["ips"] if kind not in there.values()]
    requested = [host for host in olds.get("own_certificates") or () if host in news["certificates"]]
    for host in set(olds.get("own_certificates") or ()) - set(requested):
        await certificates.delete(host)
    for host in news["certificates"]:
        if host not in requested and not await _has(certificates, host):
            await certificates.request(host)
            requested.append(host)
    return {
        "app_created": made,
        "own_ips": own,
        "own_certificates": requested,
        **await _look(api, news),
    }


async def _create_app(api: Api, app: str, org: str) -> bool:
    """Whether it was created now. A name that is taken is used if the token can see the app."""
    try:
        await Apps(api).create(app, org)
    except Invalid as refused:
        try:
            await Apps(api).get(app)
        except NotFound:
            raise refused from None
        return False
    return True


async def _has(certificates: Certificates, host: str) -> bool:
    try:
        await certificates.get(host)
    except NotFound:
        return False
    return True


async def _look(api: Api, props: Props) -> Props:
    """What there is of what is wanted. Raises ``NotFound`` where the app is gone."""
    app = props["app"]
    there = await IpAssignments(api, app).list()
    status, dns = {}, {}
    for host in props["certificates"]:
        try:
            certificate = await Certificates(api, app).get(host)
        except NotFound:
            continue
        status[host], dns[host] = certificate.status, certificate.dns_requirements or {}
    addresses = {ip: kind for ip, kind in there.items() if kind in props["ips"]}
    return {"addresses": addresses, "certificate_status": status, "dns_requirements": dns}


async def _look_or_none(api: Api, props: Props) -> Props | None:
    try:
        async for attempt in borne(NotFound):
            with attempt:
                return await _look(api, props)
    except NotFound:
        return None
    raise AssertionError("borne ends with an answer or an error")


async def _give_back(api: Api, props: Props) -> None:
    """The app, if it was created here and nothing is in it; else what was made in it.

    Never by force, whatever a list of machines says: Fly itself refuses to delete an app that has any.
    """
    app = props["app"]
    if props.get("app_created") and not await _has_machines(api, app):
        await Apps(api).delete(app, force=False)
        return
    for ip in props.get("own_ips") or ():
        await IpAssignments(api, app).release(ip)
    for host in props.get("own_certificates") or ():
        await Certificates(api, app).delete(host)


async def _has_machines(api: Api, app: str) -> bool:
    try:
        return bool(await Machines(api, app).list())
    except NotFound:
        return False


class FlyIngressResource(Resource, module="fly", name="FlyIngress"):
    """The custom resource behind ``ingress``. ``addresses``: address → kind; ``dns_requirements``: by hostname."""

    addresses: Output[dict[str, str]]
    certificate_status: Output[dict[str, str]]
    dns_requirements: Output[dict[str, Any]]

    def __init__(
        self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__(FlyIngressProvider(), name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)


_OUTPUTS = (
    "addresses",
    "certificate_status",
    "dns_requirements",
    "app_created",
    "own_ips",
    "own_certificates",
)
