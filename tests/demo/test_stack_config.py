"""The dev stack's configuration, led to other ports."""

from __future__ import annotations

from pathlib import Path

import yaml

from demo.local import Platform, Ports
from demo.stack_config import V1, lead_to, ports_of, read_dev_config, write_stack

PLATFORM = Platform("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", Path("history.jsonl"))


def test_the_dev_stack_names_the_ports_of_make_local() -> None:
    """`make local` takes its ports from the dev stack, where people look for them."""
    assert ports_of(read_dev_config()) == Ports(api=4280, proxy=8080, s3=9000)


def test_every_address_is_led_to_the_other_platform() -> None:
    """No port of the dev stack is left in the copy, or the demo would deploy to somebody's `make local`."""
    led = lead_to(read_dev_config(), PLATFORM, machines=3, cutover="overlap")
    assert ports_of(led) == Ports(1, 2, 3)
    assert led["env"]["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:3"
    assert led["regions"] == {"ams": 3, "iad": 3}
    assert not any(port in str(led) for port in (":4280", ":8080", ":9000"))


def test_the_copy_starts_at_v1_and_the_original_stays() -> None:
    """A dev stack that was left at v2 does not make the demo deploy v2 twice."""
    config = read_dev_config() | {"image": "registry.fly.io/rooms:v2"}
    before = yaml.safe_dump(config)
    assert lead_to(config, PLATFORM, machines=1, cutover="handoff")["image"] == V1
    assert yaml.safe_dump(config) == before


def test_a_written_stack_reads_as_it_was(tmp_path: Path) -> None:
    """What is written is a stack's file of this project, with the values unchanged."""
    config = read_dev_config()
    write_stack(tmp_path / "stack.yaml", config)
    written = yaml.safe_load((tmp_path / "stack.yaml").read_text())
    assert written == {"config": {f"bluegreen-fly:{key}": value for key, value in config.items()}}
