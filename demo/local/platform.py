"""Local Fly and local S3 as a block: started together, ended together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from demo.local.process import running

BUCKET = "rooms-state"
UPLINK = 200_000
"""Bytes a second: a room of some hundred edits is stored in a tenth of a second or two, as S3 does it."""
TOKEN = "local-token"  # noqa: S105  opens nothing but the simulator
CREDENTIALS = {
    "FLY_API_TOKEN": TOKEN,
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local-secret",
}
"""The environment variables that open local Fly and local S3.

No everyday word is a secret: the deployer hides secrets in all that it shows, and `/usr/local` became `/usr/[secret]`.
"""
PASSPHRASE = "local-passphrase"  # noqa: S105  of stacks that end with the platform

IMAGES = Path(__file__).with_name("images.toml")
_POINTS_ELSEWHERE = ("AWS_", "FLY_", "PULUMI_")
_LOOPBACK = "127.0.0.1,localhost"


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback; 0 takes a free one."""

    api: int = 0
    proxy: int = 0
    s3: int = 0


@dataclass(frozen=True)
class Platform:
    """Where the parts are reached; `history` is the simulator's, as JSON lines."""

    api_url: str
    proxy_url: str
    s3_url: str
    history: Path

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment, less what points elsewhere, and with what opens these parts."""
        return local_environment() | CREDENTIALS


@contextmanager
def local_platform(
    folder: Path,
    ports: Ports | None = None,
    *,
    proxy_delay: float = 0.2,
    images: Path = IMAGES,
    s3_url: str = "",
) -> Iterator[Platform]:
    """Run the simulator, and S3 with an empty bucket, as long as the block takes; their files go to `folder`.

    The proxy learns of changes `proxy_delay` seconds late. `images` is the simulator's catalogue; `s3_url` an S3
    that is there already, with its bucket. Raises NotReady, e.g. when a port is taken.
    """
    ports = ports or Ports()
    history, fly_ready = folder / "history.jsonl", folder / "fly.json"
    fly_options = {
        "api-port": ports.api,
        "proxy-port": ports.proxy,
        "proxy-delay": proxy_delay,
        "catalog": images,
        "token": TOKEN,
        "history": history,
        "ready-file": fly_ready,
    }
    s3: AbstractContextManager[Callable[[], str]]
    s3 = nullcontext(lambda: s3_url) if s3_url else local_s3(folder, ports.s3)
    with s3 as reach_s3, running("local Fly", "simulator", fly_options, local_environment()) as fly:
        urls = fly.wait_ready(fly_ready)
        yield Platform(urls["api"], urls["proxy"], reach_s3(), history)


@contextmanager
def local_s3(folder: Path, port: int = 0, *, uplink: int = UPLINK) -> Iterator[Callable[[], str]]:
    """Run S3 with an empty bucket as long as the block takes; what it yields waits until it is up: its address."""
    ready = folder / "s3.json"
    options = {"port": port, "bucket": BUCKET, "uplink": uplink, "ready-file": ready}
    with running("local S3", "demo.local.s3", options, local_environment() | CREDENTIALS) as s3:
        yield lambda: s3.wait_ready(ready)["s3"]


def local_environment() -> dict[str, str]:
    """This process's environment, less the variables that lead tools to another cloud, account or proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_POINTS_ELSEWHERE)}
    return kept | {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK}
