"""The dev stack's configuration, read, and led to other ports and machines. Pure, but for reading the file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from demo.local.platform import Platform, Ports
from demo.local.process import CHECKOUT

DEV_STACK = CHECKOUT / "stacks" / "Pulumi.dev.yaml"
PROJECT = "bluegreen-fly"
V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
Config = dict[str, Any]


def read_dev_config() -> Config:
    """The dev stack's values by key, without the project's name before it."""
    values = yaml.safe_load(DEV_STACK.read_text(encoding="utf-8"))["config"]
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in values.items()}


def ports_of(config: Config) -> Ports:
    """The ports that a configuration's URLs name."""
    return Ports(
        api=_port(config["api_url"]),
        proxy=_port(config["public_url"]),
        s3=_port(config["state_store"]["endpoint_url"]),
    )


def lead_to(config: Config, platform: Platform, *, machines: int, cutover: str) -> Config:
    """The same stack on another platform, at v1, with so many machines in each region.

    At v1 whatever the file says: `pulumi up -c image=…` writes what it was given into the stack's file. In Fly's own
    order, `overlap`, nobody records who owns the state: so the app's fence is off, and the tests are told.
    """
    led = copy.deepcopy(config)
    led["api_url"], led["public_url"] = platform.api_url, platform.proxy_url
    led["state_store"]["endpoint_url"] = led["env"]["AWS_ENDPOINT_URL_S3"] = platform.s3_url
    led["regions"] = dict.fromkeys(config["regions"], machines)
    led["cutover"], led["image"] = cutover, V1
    if cutover == "overlap":
        for part in (led, *(test for test in led["tests"] if test["type"] == "command")):
            part["env"] = part.get("env", {}) | {"ROOMS_FENCE": "off"}
    return led


def write_stack(path: Path, config: Mapping[str, Any]) -> None:
    """Write a stack's file, as `pulumi --config-file` takes it."""
    values = {f"{PROJECT}:{key}": value for key, value in config.items()}
    path.write_text(yaml.safe_dump({"config": values}, sort_keys=False), encoding="utf-8")


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, f"{url} names no port"
    return port
