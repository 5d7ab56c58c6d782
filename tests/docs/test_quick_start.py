"""The quick start as somebody new runs it: its blocks as they stand, in another checkout, with the real engine."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3

from demo.engine import engine_alone
from demo.local import CHECKOUT, CREDENTIALS
from demo.local.platform import local_environment
from demo.session import end_session
from demo.stack_config import ports_of, read_dev_config
from tests.demo.left_behind import await_gone
from tests.docs.test_pages import FENCE
from tests.examples.s3_server import serve_s3

PAGE = (CHECKOUT / "docs" / "quick-start.md").read_text(encoding="utf-8")
DEADLINE_S = 240
LAST_LINE = "Ctrl-C ends it all.\n"


def blocks(part: str) -> list[str]:
    """The commands of one part of the page."""
    text = PAGE.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    return [found["text"] for found in FENCE.finditer(text) if found["kind"] == "sh"]


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def copy_checkout(folder: Path) -> None:
    """What Git has of this checkout, as it is now, with its environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)


def other_ports() -> dict[str, str]:
    """In place of the dev stack's, which somebody else may use."""
    ports = ports_of(read_dev_config())
    return dict(zip(map(str, (ports.api, ports.proxy, ports.s3)), map(str, free_ports(3)), strict=True))


def moved(text: str, ports: Mapping[str, str]) -> str:
    return re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: ports[port[0]], text)


@contextmanager
def terminal(argv: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, of which nothing is left behind it."""
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end_session(process.pid)


def typed(text: str, folder: Path, env: Mapping[str, str]) -> str:
    """What these commands print; each must succeed."""
    with terminal(["bash", "-euo", "pipefail", "-c", text], folder, env) as shell:
        said, _ = shell.communicate(timeout=DEADLINE_S)
    assert shell.returncode == 0, said
    return said


def exports_of(local: subprocess.Popen[str]) -> str:
    """What it prints to be typed into another terminal."""
    assert local.stdout
    said: list[str] = []
    for line in local.stdout:
        said.append(line)
        if line == LAST_LINE:
            return "".join(line for line in said if line.startswith("  export "))
    raise AssertionError("".join(said))


def somebody_new(home: Path) -> dict[str, str]:
    """Nobody's accounts, and the engine's own questions answered with yes."""
    home.mkdir()
    around = local_environment()
    told = engine_alone(home) | {"HOME": str(home), "PULUMI_SKIP_CONFIRMATIONS": "true"}
    return around | told | {"PATH": f"{around['PATH']}:{home}"}  # a mark, by which what is left is found


def test_the_first_part_works_as_it_stands(tmp_path: Path) -> None:
    """`make local` tells what to export; v1 answers, v2 takes over, and the next preview expects no changes."""
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"
    first, deploy, update = blocks("On this machine")
    assert first == "make local\n"
    assert "$(PYTHON) -m demo.local\n" in (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    folder, env, ports = tmp_path / "checkout", somebody_new(tmp_path / "home"), other_ports()
    copy_checkout(folder)
    dev = folder / "stacks" / "Pulumi.dev.yaml"
    dev.write_text(moved(dev.read_text(encoding="utf-8"), ports), encoding="utf-8")
    with terminal([sys.executable, "-m", "demo.local"], folder, env) as local:
        exports = exports_of(local)
        assert '"version": "v1"' in typed(exports + moved(deploy, ports), folder, env)
        said = typed(exports + moved(update, ports), folder, env)
        assert re.search(r"^\d+\.\d+$", said, re.MULTILINE), "the window in seconds"
        local.send_signal(signal.SIGINT)
        assert local.wait(30) == 0
    assert await_gone(tmp_path / "home") == {}


def test_pulumi_keeps_its_state_in_a_bucket_that_is_not_of_aws(tmp_path: Path) -> None:
    """The URL of the second part, led to a local server, which knows no names of buckets in its host's."""
    found = re.search(
        r"pulumi login 's3://([\w-]+)/(\w+)\?endpoint=(\S+?)&region=auto'", "".join(blocks("On Fly"))
    )
    assert found
    with serve_s3() as url:
        keys = {key: value for key, value in CREDENTIALS.items() if key.startswith("AWS_")}
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=found[1])
        login = found[0].replace(found[3], url).replace("region=auto", "region=auto&s3ForcePathStyle=true")
        shutil.copy(CHECKOUT / "Pulumi.yaml", tmp_path)
        env = somebody_new(tmp_path / "home") | keys
        del env["PULUMI_BACKEND_URL"]
        said = typed(f"{login}\npulumi stack init dev\npulumi stack ls\n", tmp_path, env)
        listed = client.list_objects_v2(Bucket=found[1])["Contents"]
        client.close()
    assert re.search(r"^dev\b", said, re.MULTILINE), said
    assert f"{found[2]}/.pulumi/stacks/bluegreen-fly/dev.json" in {it["Key"] for it in listed}
