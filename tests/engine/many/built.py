"""A resource that tells an image only once it was made, as a build does."""

from __future__ import annotations

from typing import Any

from pulumi import Output
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class BuiltProvider(ResourceProvider):
    """Nothing is built: the image is the one that was asked for."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("built", {**props, "image": props["asked"]})


class Built(Resource):
    """``image`` is unknown in a preview of its creation."""

    image: Output[str]

    def __init__(self, name: str, asked: str) -> None:
        super().__init__(BuiltProvider(), name, {"asked": asked, "image": None})
