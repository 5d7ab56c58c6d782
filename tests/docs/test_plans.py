"""What the pages say of plans and of changes is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from components.schema import StackConfig
from providers.bluegreen.plan import rollout
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.live import Live
from providers.planning import Planned, plan_document, unplanned
from tests.bluegreen.worlds import serving, spec, world

DOCS = Path(__file__).parents[2] / "docs"
V2 = "registry.fly.io/rooms:v2"
MORE = {"ams": 2, "iad": 1}
CHANGED: dict[str, Any] = {
    "image": V2,
    "guest": {"memory_mb": 512},
    "env": {"NEW": "1"},
    "secret_env": {"NEW": "1"},
    "services": [{"internal_port": 8080, "checks": [{"type": "tcp"}]}],
    "checks": {"alive": {"type": "tcp", "port": 8080}},
    "stop_config": {"timeout": "9s"},
    "drain": {"type": "request"},
    "state_store": {"bucket": "another-state"},
    "state_proof": {"type": "marker", "key": "saved"},
    "regions": MORE,
    "deadlines": {"drain_old": "9m"},
    "adopt": True,
    "cutover": "overlap",
    "tunnel": "direct",
    "release_command": {"argv": ["true"]},
    "min_healthy": "9s",
    "tests": [{"type": "http", "name": "answers", "path": "/version"}],
    "rehearsal": {},
    "approval": "manual",
    "approved_release": "2-3fa9c1d20e-7c41",
    "bake": "9s",
    "keep_warm": "9s",
    "keep_failed_green": True,
    "public_url": "https://play.example.com",
    "routing_probe": {"path": "/", "machine_key": "id"},
    "notify": {"url": "https://hooks.example.com", "secret": "at least 16 characters"},
    "api_url": "http://127.0.0.1:4280",
}
"""Another value of every key but those that name the app."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def document_of(wanted: Spec, old: Spec | None) -> dict[str, Any]:
    seen = world(serving(old, 1)) if old else world()
    this = Scene(resolve(wanted, seen), seen)
    return plan_document(Planned(this, rollout(this), Live(3, 7, 1, 2)))


def rows() -> dict[tuple[str, ...], str]:
    """The table of the document's keys: its keys, and what is said of them."""
    table = page("preview").partition("## For CI")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE)
    return {tuple(re.findall(r"`(\w+)`", keys)): text for keys, text in cells}


def words(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def test_the_plan_as_json_has_the_keys_that_the_page_names() -> None:
    """All keys of the document, of a step, and of what becomes of machines; and no other."""
    told = document_of(spec(image=V2), spec())
    alone = unplanned("rooms", error="e", replaces="r").keys() - {"version", "app"}
    said = rows()
    assert {key for keys in said for key in keys} == told.keys() | alone
    assert words(said["phases",]) == told["phases"][0].keys() | told["phases"][0]["steps"][0].keys()
    assert words(said["machines",]) == told["machines"].keys()
    assert words(said["handoff_window",]) - {"null"} == told["handoff_window"].keys()
    assert words(said["live",]) - {"null"} == told["live"].keys()


def test_a_preview_has_the_goals_that_the_page_names() -> None:
    """A first deploy, another image, other counts, nothing to do; each cutover."""
    both = [spec(cutover=cutover) for cutover in ("handoff", "overlap")]
    plans = [document_of(spec(**changes), old) for old in (None, *both) for changes in ({}, {"image": V2})]
    plans += [document_of(old.model_copy(update={"regions": MORE}), old) for old in both]
    plans += [document_of(old, None) for old in both]
    said = rows()["app", "goal", "cutover"]
    assert words(said) == {plan[key] for plan in plans for key in ("goal", "cutover")}


def test_what_is_said_to_be_a_rollout_is_another_release() -> None:
    """The keys of "which change does what", and no other key of the configuration, lead to another digest."""
    said = page("configuration").partition("Which change does what:")[2].partition("are a rollout.")[0]
    others = CHANGED.keys() | {"app", "org", "build", "ingress"}
    assert others == StackConfig.model_fields.keys()
    digest = spec().digest
    assert words(said) == {key for key, value in CHANGED.items() if spec(**{key: value}).digest != digest}
