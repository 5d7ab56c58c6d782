"""A stack's whole configuration as one schema: what a deployment needs, and what the component does around it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from providers import inputs
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_types import Part, matching


def _without_tag(name: str) -> str:
    if ":" in name.rpartition("/")[2]:
        raise ValueError(f'"{name}" has a tag; the build gives its own, from the source')
    return name


Repository = Annotated[
    str,
    matching(r"[a-z0-9][a-z0-9.:/_-]*", "an image name without tag, e.g. registry.fly.io/my-game"),
    AfterValidator(_without_tag),
]
Hostname = Annotated[
    str,
    matching(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", "a hostname, e.g. play.example.com"),
]
RelativePath = Annotated[str, matching(r"[^/].*", "a path relative to the project")]
IpType = Literal["shared_v4", "v4", "v6"]


class Build(Part):
    """The image is built with Docker and pushed, when its source changes, and deployed by its digest.

    Needs ``docker`` with buildx, logged in to the registry (``fly auth docker``). What counts as source is what Docker
    would send: the context without what ``.dockerignore`` names. Without it, what Git ignores is source, too.
    """

    image: Repository
    """Name in a registry, without a tag: the build tags it with its source's hash."""
    context: RelativePath = "."
    """The folder that is built, relative to the project's."""
    dockerfile: RelativePath = "Dockerfile"
    """Relative to the context."""
    platform: str = "linux/amd64"
    """What Fly's machines are, also where the builder is another."""


class Ingress(Part):
    """Public addresses and certificates of the app. What is there already is used, and stays after a destroy."""

    ips: tuple[IpType, ...] = ("shared_v4", "v6")
    """Kinds of addresses, one of each. `v4` is billed by Fly; the others are free."""
    certificates: tuple[Hostname, ...] = ()
    """Hostnames for which Fly requests a certificate. Its answer says which DNS records to set."""


class StackConfig(Spec):
    """All keys of a stack's file."""

    build: Build | None = None
    """Build and push the image, in place of `image`."""
    ingress: Ingress | None = None
    """Public addresses and certificates. Without it, the app keeps those that it has."""

    @model_validator(mode="before")
    @classmethod
    def _build_names_the_image(cls, values: Any) -> Any:
        """What is built has no digest before it is built; until then its name stands for it."""
        built = values.get("build") if isinstance(values, dict) else None
        if not isinstance(built, dict):
            return values
        if values.get("image"):
            raise ValueError("build: image is given, too; leave one of them out")
        return {**values, "image": str(built.get("image") or "unknown")}


EXAMPLES: dict[str, Any] = inputs.EXAMPLES | {
    "build": {"image": "registry.fly.io/my-game", "context": "app"},
    "ingress": {"ips": ["shared_v4", "v6"], "certificates": ["play.example.com"]},
}
"""One of each key, for messages and the reference. ``image`` and ``build`` exclude each other."""
