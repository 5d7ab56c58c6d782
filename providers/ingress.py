"""The dynamic resource of an app's public addresses and certificates: Pulumi's calls, passed on to
``providers.provisioning``.

It comes before the machines: the first deploy proves from outside that it is answered. Import path and type are part
of state files: stable for ever, as the deployment's own (``providers.resource`` says why the work is loaded late).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from providers.ingress_made import Made

Props = dict[str, Any]


class FlyIngressProvider(ResourceProvider):
    """Uses what is there and makes what is missing; gives back what it made itself, and nothing else."""

    def configure(self, req: ConfigureRequest) -> None:
        """Load what the calls need: the SDK calls this once in a provider's process, under a lock. Two calls that load
        at once could keep each other from it.
        """
        from providers import provisioning  # noqa: F401, PLC0415

    def create(self, props: Props) -> CreateResult:
        from providers import provisioning  # noqa: PLC0415

        return provisioning.create(props)

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Another app's ingress is made before the old one's is given back: if that fails, the old app still serves."""
        replaces = [key for key in ("app", "org") if olds.get(key) != news.get(key)]
        lacking = set(news["ips"]) - set((olds.get("addresses") or {}).values())
        lacking |= set(news["certificates"]) - set(olds.get("certificate_status") or {})
        changes = any(olds.get(key) != news.get(key) for key in ("ips", "certificates", "api_url"))
        return DiffResult(changes=bool(replaces or lacking or changes), replaces=replaces)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        from providers import provisioning  # noqa: PLC0415

        return provisioning.update(olds, news)

    def read(self, id_: str, props: Props) -> ReadResult:
        from providers import provisioning  # noqa: PLC0415

        return provisioning.read(id_, props)

    def delete(self, id_: str, props: Props) -> None:
        from providers import provisioning  # noqa: PLC0415

        provisioning.delete(props)


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
        super().__init__(FlyIngressProvider(), name, {**props, **dict.fromkeys(SEEN + _MADE)}, opts)

    @property
    def made(self) -> Output[str]:
        """For the deployment, which records it on its machines."""
        own: Output[dict[str, Any]] = Output.all(**{key: getattr(self, key) for key in _MADE})
        return own.apply(lambda own: Made.of_state(own).text)


SEEN = ("addresses", "certificate_status", "dns_requirements")
_MADE = ("app_created", "own_ips", "own_certificates")
