"""What leads users to an app: public addresses and certificates. The proxy heeds neither."""

from typing import Any

from simulator.errors import not_found, unprocessable
from simulator.model import App
from simulator.world import World

KINDS = ("shared_v4", "v4", "v6")


def show_ips(app: App) -> list[dict[str, Any]]:
    """All addresses as the API shows them."""
    return [{"ip": ip, "region": "global", "shared": kind == "shared_v4"} for ip, kind in app.ips.items()]


def assign_ip(world: World, app: App, kind: str) -> dict[str, Any]:
    """A new address, of those that are for documentation (RFC 5737, RFC 3849)."""
    if kind not in KINDS:
        raise unprocessable(f"unknown type {kind}")
    number = sum(len(other.ips) for other in world.apps.values()) + 1
    taken = {ip for other in world.apps.values() for ip in other.ips}
    pattern = "2001:db8::{:x}" if kind == "v6" else "203.0.113.{}"
    while (ip := pattern.format(number)) in taken:
        number += 1
    app.ips[ip] = kind
    return next(shown for shown in show_ips(app) if shown["ip"] == ip)


def release_ip(app: App, ip: str) -> None:
    """Take it away, or 404."""
    if app.ips.pop(ip, None) is None:
        raise not_found(f"ip address '{ip}'")


def request_certificate(app: App, hostname: str) -> dict[str, Any]:
    """Requested, and waiting for DNS as it does for ever here; again changes nothing."""
    if hostname not in app.certificates:
        app.certificates.append(hostname)
    return show_certificate(app, hostname)


def show_certificate(app: App, hostname: str) -> dict[str, Any]:
    """One certificate, or 404."""
    if hostname not in app.certificates:
        raise not_found(f"certificate for '{hostname}'")
    records = {"a": [ip for ip, kind in app.ips.items() if kind != "v6"]}
    return {"hostname": hostname, "status": "pending_validation", "dns_requirements": records}


def delete_certificate(app: App, hostname: str) -> None:
    """Take it away, or 404."""
    show_certificate(app, hostname)
    app.certificates.remove(hostname)
