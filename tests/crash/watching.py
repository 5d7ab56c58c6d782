"""A dynamic resource whose creation lasts until its provider has seen why to stop, and tells the test so."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

import anyio
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

from providers.cancel import watch_cancel
from providers.orphan import end_as_orphan
from providers.parent import watch_parent

LOOKS_EVERY_S = 0.02


class WatchingProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        """One line when it begins, with what is seen then, and one with the first reason to stop."""
        host, _, port = props["told"].partition(":")
        end_as_orphan()
        gone, cancelled = watch_parent(), watch_cancel()
        with socket.create_connection((host, int(port))) as test, test.makefile("w") as lines:

            def tell(**what: object) -> None:
                lines.write(
                    json.dumps(what | {"pid": os.getpid(), "parent": os.getppid(), "engine": sys.argv[1]})
                    + "\n"
                )
                lines.flush()

            tell(gone=gone(), cancelled=cancelled())
            while not (gone() or cancelled()):
                anyio.run(anyio.sleep, LOOKS_EVERY_S)
            tell(gone=gone(), cancelled=cancelled())
        return CreateResult("watched", props)


class Watching(Resource, module="tests", name="Watching"):
    def __init__(self, name: str, told: str) -> None:
        super().__init__(WatchingProvider(), name, {"told": told})
