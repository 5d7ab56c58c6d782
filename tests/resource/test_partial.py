"""Failures as the engine takes them, over real gRPC: with the state that was reached, without one, as plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from providers.partial import DETAILS, DeploymentFailed, Reached, told_to_engine

TEXT = "rooms: unfinished\n  - a reason\n  Next: pulumi up"
REACHED = Reached("rooms", {"phase": "retire-old", "regions": {"ams": 2}})


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """As Pulumi's own: the call's request and context are local variables of the method that calls a provider's."""

    def __init__(self, provider: Callable[[], None]) -> None:
        self.provider = provider

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self.provider()
        raise AssertionError("it was to fail")


@contextmanager
def updated(failure: Exception) -> Iterator[grpc.RpcError]:
    """The error of an ``Update`` call whose provider raises ``failure``."""

    def provider() -> None:
        with told_to_engine():
            raise failure

    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    news = struct_pb2.Struct()
    news.update({"__provider": "pickled"})
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as error:
        provider_pb2_grpc.ResourceProviderStub(channel).Update(provider_pb2.UpdateRequest(news=news))
    yield error.value
    server.stop(None).wait()


def details(error: Any) -> status_pb2.Status | None:
    found = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(found[DETAILS]) if DETAILS in found else None


def test_a_failure_answers_with_the_state_that_was_reached() -> None:
    """The engine's own message: id, outputs with the pickled provider, and the reasons; nothing of a server's words."""
    with updated(DeploymentFailed(TEXT, REACHED)) as error:
        assert error.details() == TEXT
        status = details(error)
    assert status
    assert status.message == TEXT
    told = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(told)
    assert (told.id, list(told.reasons)) == ("rooms", [TEXT])
    outputs = dict(told.properties)
    assert (outputs["phase"], outputs["__provider"]) == ("retire-old", "pickled")


def test_a_failure_that_reached_nothing_new_is_its_text_alone() -> None:
    """Pulumi's state stays as it is."""
    with updated(DeploymentFailed(TEXT)) as error:
        assert error.details() == TEXT
        assert details(error) is None


def test_an_sdk_with_other_names_falls_back_to_the_plain_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is told all the same, behind gRPC's own words; and so is any other error of a provider."""

    def gone(*_: object) -> None:
        raise AttributeError("no such name any more")

    monkeypatch.setattr("pulumi.runtime.rpc.deserialize_properties", gone)
    with updated(DeploymentFailed(TEXT, REACHED)) as error:
        assert error.details() == f"Exception calling application: {TEXT}"
        assert details(error) is None
    with updated(ValueError("another one")) as error:
        assert "another one" in error.details()


def test_without_a_call_the_plain_exception_is_raised() -> None:
    """Used by anybody else than Pulumi's server: request or context are not there, or something else."""
    request, context = object(), "no gRPC context"
    with pytest.raises(DeploymentFailed, match="unfinished"), told_to_engine():
        raise DeploymentFailed(f"{TEXT} {request} {context}", REACHED)
