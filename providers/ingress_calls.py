"""Making, looking at, and giving back an app's public addresses and certificates: calls of Fly's API, no Pulumi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.bluegreen.journal import INGRESS, identify
from providers.fly import Api, Apps, Certificates, Invalid, IpAssignments, Machine, Machines, NotFound
from providers.fly.retries import borne
from providers.ingress_made import Made

Props = dict[str, Any]


async def make_app(api: Api, app: str, org: str) -> Made:
    """The app that a new resource is for. What is there already is used; of that, ours is what its machines record."""
    if await _is_there(api, app) or not await _create_app(api, app, org):
        return await recorded(api, app)
    return Made(app=True)


async def keep_app(api: Api, app: str, org: str, made: Made) -> None:
    """The app of an existing resource: one that has gone meanwhile is made anew."""
    if not made.app and not await _is_there(api, app):
        made.app = await _create_app(api, app, org)


async def provide(api: Api, wanted: Props, made: Made) -> Props:
    """Make what is missing, give back what is no longer wanted, and say what there is."""
    await _provide_ips(IpAssignments(api, wanted["app"]), wanted["ips"], made)
    await _provide_certificates(Certificates(api, wanted["app"]), wanted["certificates"], made)
    return await look(api, wanted)


async def _provide_ips(ips: IpAssignments, kinds: list[str], made: Made) -> None:
    async for attempt in borne(NotFound):  # an app that was created just now
        with attempt:
            there = await ips.list()
    made.ips = [ip for ip in made.ips if ip in there]
    for ip in [ip for ip in made.ips if there[ip] not in kinds]:
        await ips.release(ip)
        made.ips.remove(ip)
    for kind in kinds:
        if kind not in there.values():
            made.ips.append(await ips.assign(kind))


async def _provide_certificates(certificates: Certificates, hosts: list[str], made: Made) -> None:
    for host in [host for host in made.certificates if host not in hosts]:
        await certificates.delete(host)
        made.certificates.remove(host)
    for host in hosts:
        if host not in made.certificates and not await _has(certificates, host):
            await certificates.request(host)
            made.certificates.append(host)


async def _is_there(api: Api, app: str) -> bool:
    try:
        await Apps(api).get(app)
    except NotFound:
        return False
    return True


async def _create_app(api: Api, app: str, org: str) -> bool:
    """Whether it was created now. A name that is taken is used if the token can see the app."""
    try:
        await Apps(api).create(app, org)
    except Invalid as refused:
        if not await _is_there(api, app):
            raise refused from None
        return False
    return True


async def _has(certificates: Certificates, host: str) -> bool:
    try:
        await certificates.get(host)
    except NotFound:
        return False
    return True


async def look(api: Api, props: Mapping[str, Any]) -> Props:
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


async def look_or_none(api: Api, props: Mapping[str, Any]) -> Props | None:
    """The same; ``None`` where the app is gone, also after a while."""
    try:
        async for attempt in borne(NotFound):
            with attempt:
                return await look(api, props)
    except NotFound:
        return None
    raise AssertionError("borne ends with an answer or an error")


async def give_back(api: Api, app: str, made: Made) -> None:
    """The app, if it was created here and nothing is in it; else what was made in it.

    Never by force, whatever a list of machines says: Fly itself refuses to delete an app that has any.
    """
    if made.app and not await _has_machines(api, app):
        await Apps(api).delete(app, force=False)
        return
    for ip in made.ips:
        await IpAssignments(api, app).release(ip)
    for host in made.certificates:
        await Certificates(api, app).delete(host)


async def _has_machines(api: Api, app: str) -> bool:
    try:
        return bool(await Machines(api, app).list())
    except NotFound:
        return False


async def recorded(api: Api, app: str) -> Made:
    """What the newest of our machines in the app says; nothing, where none says anything."""
    try:
        found = await Machines(api, app).list()
    except NotFound:
        return Made()
    told = [(entry.release, machine) for machine in found if (entry := identify(machine.metadata, app))]
    return Made.parse(_mark(max(told, key=lambda of: of[0])[1])) if told else Made()


def _mark(machine: Machine) -> str:
    return machine.metadata.get(INGRESS, "")
