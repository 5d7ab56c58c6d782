"""The component: one app on Fly whose every change of image or configuration is a blue-green rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.args import BlueGreenFlyAppArgs, IngressArgs
from components.schema import Build, Ingress
from providers.bluegreen.spec import Spec
from providers.ingress import FlyIngressResource
from providers.resource import BlueGreenFlyAppResource

OUTPUTS = (
    "url",
    "release",
    "serving",
    "machines",
    "drift",
    "phase",
    "handoff_window_seconds",
    "phases",
    "proven",
    "test_results",
    "pending_release",
    "api_calls",
)


class BlueGreenFlyApp(ComponentResource):
    """A stateful app that is deployed as create-new, verify, drain-old, switch-routes, retire-old.

    Outputs: ``url``; ``image`` (what is deployed: with ``build``, pinned by its digest); ``release``
    (``"<generation>-<digest>-<nonce>"``); ``serving`` (release, machine ids, regions, image digest);
    ``machines`` (of that release: id, name, region, state, cordoned, image, names of env, checks); ``drift`` (what a
    refresh found to be changed by hand, in words); ``phase``
    (``"serving"``, where an unfinished rollout stands, or how a failed one ended); ``handoff_window_seconds`` (of the
    last rollout, ``None`` on a first deploy); ``phases`` (name, start in epoch seconds, seconds); ``proven`` (rooms,
    objects, bytes proven saved; start, seconds); ``test_results`` (name, start, seconds, summary); ``pending_release``
    (what waits for approval: set ``approved_release`` to it); ``api_calls``; ``ingress`` (addresses, certificates'
    status, DNS records to set).

    ``protect``, ``aliases``, ``ignore_changes`` and ``retain_on_delete`` mean what they mean for any resource.

    A failed rollout fails ``pulumi up`` and says which cluster serves. Wrong arguments fail before any call.
    """

    url: Output[str]
    image: Output[str]
    release: Output[str]
    serving: Output[dict[str, Any]]
    machines: Output[list[dict[str, Any]]]
    drift: Output[list[str]]
    phase: Output[str]
    handoff_window_seconds: Output[float | None]
    phases: Output[list[dict[str, Any]]]
    proven: Output[dict[str, float]]
    test_results: Output[list[dict[str, Any]]]
    pending_release: Output[str]
    api_calls: Output[int]
    ingress: Output[dict[str, Any]]

    def __init__(self, name: str, args: BlueGreenFlyAppArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:fly:BlueGreenFlyApp", name, None, opts)
        props = args.props()
        build, ingress = args.build, args.ingress
        if ("image" in props) == (build is not None):
            raise pulumi.RunError(f"{name}: give either image or build")
        if build is not None:
            from components.build import build_image  # noqa: PLC0415  only a build needs pulumi-command

            props["image"] = build_image(name, Build.model_validate(build), ResourceOptions(parent=self))
        self.image = Output.from_input(props["image"])
        for key in ("secret_env", "notify"):
            if key in props:
                props[key] = Output.secret(props[key])
        lead = self._lead_users(name, props, ingress, _retained(opts))
        if lead:
            props["ingress_made"] = lead.made
        secret = ResourceOptions(
            parent=self,
            additional_secret_outputs=["secret_env", "blue_secret_env", "notify"],
            depends_on=[lead] if lead else [],
            # Pulumi hands protect, aliases and providers down to a component's children, but not this.
            ignore_changes=opts.ignore_changes if opts else None,
            retain_on_delete=_retained(opts),
        )
        app = BlueGreenFlyAppResource(name, props, secret)
        for key in OUTPUTS:
            setattr(self, key, getattr(app, key))
        self.register_outputs(self.outputs)

    @property
    def outputs(self) -> dict[str, Output[Any]]:
        """All outputs by name, as a stack exports them."""
        return {key: getattr(self, key) for key in (*OUTPUTS, "image", "ingress")}

    def _lead_users(
        self,
        name: str,
        props: Mapping[str, Input[Any]],
        ingress: IngressArgs | None,
        retained: bool | None,
    ) -> FlyIngressResource | None:
        """Addresses and certificates: before the machines, whose first deploy is proven from outside."""
        self.ingress = Output.from_input({})
        if ingress is None:
            return None
        wanted = Ingress.model_validate(ingress).model_dump(mode="json")
        address = {"org": Spec.model_fields["org"].default, "api_url": None} | {
            key: props[key] for key in ("app", "org", "api_url") if key in props
        }
        options = ResourceOptions(parent=self, retain_on_delete=retained)
        resource = FlyIngressResource(f"{name}-ingress", {**address, **wanted}, options)
        self.ingress = Output.all(
            addresses=resource.addresses,
            certificates=resource.certificate_status,
            dns_requirements=resource.dns_requirements,
        )
        return resource


def _retained(opts: ResourceOptions | None) -> bool | None:
    """Told to both children: machines that are kept without the addresses that lead to them serve nobody.

    Pulumi's engine 3.259 hands it down by itself (its state says so of children to which nothing was told). Whichever
    older one is on PATH may not.
    """
    return opts.retain_on_delete if opts else None
