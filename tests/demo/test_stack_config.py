"""The dev stack's configuration, led to other ports."""

from __future__ import annotations

from pathlib import Path

import yaml

from demo.local import Platform, Ports
from demo.stack_config import V1, lead_to, ports_of, read_dev_config, write_stack
from providers.bluegreen.spec import Spec

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


def test_without_a_fence_app_and_tests_know_it() -> None:
    """In Fly's own order nobody records an owner: the app waits for none, and its smoke test expects no refusal."""
    config = read_dev_config()
    led = lead_to(config, PLATFORM, machines=1, cutover="overlap")
    assert led["env"]["ROOMS_FENCE"] == "off"
    assert [test["env"] for test in led["tests"] if test["type"] == "command"] == [{"ROOMS_FENCE": "off"}]
    assert "ROOMS_FENCE" not in str(lead_to(config, PLATFORM, machines=1, cutover="handoff"))
    assert config == read_dev_config()


def test_the_dev_stack_is_tested_rehearsed_and_proven_alive() -> None:
    """What the demo shows is what the dev stack asks for; an empty rehearsal would be none."""
    spec = Spec.model_validate(read_dev_config())
    assert [(test.name, test.type, test.scope) for test in spec.tests] == [
        ("version", "http", "per-machine"),
        ("smoke", "command", "once"),
    ]
    assert spec.rehearsal is not None
    assert (spec.drain.type, spec.tunnel) == ("request", "direct")


def test_a_written_stack_reads_as_it_was(tmp_path: Path) -> None:
    """What is written is a stack's file of this project, with the values unchanged."""
    config = read_dev_config()
    write_stack(tmp_path / "stack.yaml", config)
    written = yaml.safe_load((tmp_path / "stack.yaml").read_text())
    assert written == {"config": {f"bluegreen-fly:{key}": value for key, value in config.items()}}
