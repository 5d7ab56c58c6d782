"""Local Fly and local S3: there while the block lasts, and gone with it however it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
import pytest

from demo.local import BUCKET, CHECKOUT, CREDENTIALS, NotReady, Platform, Ports, local_platform
from demo.local.__main__ import describe
from demo.local.uplink import Uplink
from tests.demo.left_behind import await_gone, find_marked, mark_environment

HOLD = """
import signal, sys
from pathlib import Path
from demo.local import local_platform
with local_platform(Path(sys.argv[1])):
    print("ready", flush=True)
    signal.pause()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a platform, in a session of its own, once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=CHECKOUT,
        env=mark_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_parts_answer_while_the_block_lasts(tmp_path: Path) -> None:
    """On free ports there are a Machines API that wants its token, a proxy, and S3 with an empty bucket."""
    with local_platform(tmp_path) as platform:
        token = {"authorization": f"Bearer {CREDENTIALS['FLY_API_TOKEN']}"}
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{platform.api_url}/v1/apps/none").status_code == 401
            assert client.get(f"{platform.api_url}/v1/apps/none", headers=token).status_code == 404
            assert client.get(platform.proxy_url, headers={"host": "none.fly.dev"}).status_code == 404
        s3 = boto3.client(
            "s3",
            endpoint_url=platform.s3_url,
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        s3.close()
        assert platform.history.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_holder_ends_all_of_it(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a termination or a kill of the process that holds the platform leaves no process of it."""
    with holding(tmp_path) as process:
        assert len(find_marked(tmp_path)) == 3
        process.send_signal(number)
        process.wait(30)
        assert await_gone(tmp_path) == {}


@pytest.mark.parametrize("part", ["api", "proxy", "s3"])
def test_a_port_that_is_taken_is_said_and_leaves_nothing(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that cannot start is named, and the one that could is ended."""
    monkeypatch.setenv("PATH", mark_environment(tmp_path)["PATH"])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(NotReady, match="local S3 ended" if part == "s3" else "local Fly ended"),
        local_platform(tmp_path, Ports(**{part: taken.getsockname()[1]})),
    ):
        pytest.fail("it has started")
    assert find_marked(tmp_path) == {}


def test_storing_takes_time_in_proportion_to_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of half a second's worth is answered half a second later, and a request without one at once."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    uplink = Uplink(lambda _environ, _start_response: [b"stored"], rate=200_000)
    for environ in ({"CONTENT_LENGTH": "100000"}, {}):
        assert list(uplink(environ, lambda *_: len)) == [b"stored"]
    assert waited == [0.5, 0.0]


def test_a_foreign_account_in_the_environment_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a cloud account in the shell cannot reach it from the demo."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("FLY_FLAPS_BASE_URL", "https://api.machines.dev")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://production")
    environ = Platform("", "", "", tmp_path).environ
    assert {"AWS_PROFILE", "FLY_FLAPS_BASE_URL", "PULUMI_BACKEND_URL"}.isdisjoint(environ)
    assert CREDENTIALS.items() <= environ.items()


def test_the_next_commands_are_told_with_what_they_need(tmp_path: Path) -> None:
    """What is printed opens the local parts, and keeps the stack's state where it ends with them."""
    text = describe(
        Platform("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", tmp_path), tmp_path
    )
    assert f"export PULUMI_BACKEND_URL=file://{tmp_path}/pulumi" in text
    assert all(f"export {name}={value}" in text for name, value in CREDENTIALS.items())
    assert "pulumi up -s dev" in text
