"""Lines for people: shown in order, never waited for, and never a reason to fail."""

from __future__ import annotations

import sys

import pytest

from providers.console import console


def test_without_an_engine_lines_go_to_stderr_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them are there when the block ends."""
    with console() as say:
        for index in range(50):
            say(f"line {index}")
    assert capsys.readouterr().err.split("\n")[:-1] == [f"line {index}" for index in range(50)]


def test_an_engine_that_is_gone_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The `pulumi` that started the provider was killed: its address refuses, and the line goes to stderr."""
    monkeypatch.setattr(sys, "argv", ["provider", "127.0.0.1:9"])

    class Request:
        urn = "urn:pulumi:test::bluegreen-fly::fly:BlueGreenFlyApp::app"

    def servicer_method(request: Request) -> None:
        with console() as say:
            say("still here")

    servicer_method(Request())
    assert capsys.readouterr().err == "still here\n"


def test_a_closed_stderr_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stderr of an orphaned provider is closed: writing raises there, and not here."""

    class Closed:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    with console() as say:
        say("nobody listens")
