"""Failures as Pulumi's engine takes them: clean lines, and the state that was reached all the same.

A plain exception of a dynamic provider leaves the old state and is printed behind the words of a server's internals.
What a native provider does is answer the call with a status: its text is shown as it is, and a detail of it,
``ErrorResourceInitFailed``, holds reasons and new outputs. The engine records those, and calls ``update`` at the next
``up``, whatever ``diff`` says. The call's request and context are in the servicer's frame. Both are private to Pulumi's
SDK: they are touched here only, every touch is guarded, and without them the plain exception is what is raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

DETAILS = "grpc-status-details-bin"
PROVIDER_KEY = "__provider"
"""Where the SDK keeps the pickled provider, among the properties of each resource."""


@dataclass(frozen=True)
class Reached:
    """What Pulumi's state is to say of a resource although the call failed: its id, and all of its outputs."""

    id: str
    outputs: Mapping[str, Any]


class DeploymentFailed(Exception):
    """What Pulumi prints when a deployment did not reach its end. ``reached`` is ``None`` where its state stays."""

    def __init__(self, text: str, reached: Reached | None = None) -> None:
        self.reached = reached
        super().__init__(text)


@contextlib.contextmanager
def told_to_engine() -> Iterator[None]:
    """Answer the engine's call with what failed, where that can be done. To be opened in a provider's method."""
    try:
        yield
    except DeploymentFailed as failed:
        with contextlib.suppress(LookupError):
            _abort(*_call_of_callers(), failed)
        raise


def _call_of_callers() -> tuple[Any, Any]:
    """The request and the context of the call that is being answered."""
    frame = inspect.currentframe()
    while frame:
        request, context = frame.f_locals.get("request"), frame.f_locals.get("context")
        if isinstance(context, grpc.ServicerContext) and request is not None:
            return request, context
        frame = frame.f_back
    raise LookupError("no call among the callers")


def _abort(request: Any, context: grpc.ServicerContext, failed: DeploymentFailed) -> None:
    """Ends the call: gRPC raises, and takes that for no error of its own. Raises ``LookupError`` where it cannot."""
    try:
        if failed.reached:
            context.set_trailing_metadata(((DETAILS, _details(request, failed, failed.reached)),))
    except Exception as error:
        raise LookupError("the SDK is another one") from error
    context.abort(grpc.StatusCode.UNKNOWN, str(failed))


def _details(request: Any, failed: DeploymentFailed, reached: Reached) -> bytes:
    """gRPC's rich status: the code and the text again, with the state and one reason."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=reached.id, properties=_properties(request, reached), reasons=[str(failed)]
        ),
        type_url_prefix="type.googleapis.com",
    )
    code = grpc.StatusCode.UNKNOWN.value[0]
    status: bytes = status_pb2.Status(code=code, message=str(failed), details=[detail]).SerializeToString()
    return status


def _properties(request: Any, reached: Reached) -> Any:
    """As the SDK's own answers: with the pickled provider of the request."""
    given = request.news if hasattr(request, "news") else request.properties
    outputs = {**reached.outputs, PROVIDER_KEY: rpc.deserialize_properties(given)[PROVIDER_KEY]}
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(outputs, {}))
    finally:
        loop.close()
