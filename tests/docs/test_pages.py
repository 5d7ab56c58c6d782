"""The pages people read: links lead somewhere, commands exist, and the cheap ones are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.schema import StackConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WORKFLOW = ROOT / "examples" / "github-actions" / "deploy.yml"
FENCE = re.compile(r"^```(?P<kind>[a-z]+(?: run)?)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
MAKE = re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE)
CONFIG_SET = re.compile(r"pulumi config set (?:--[a-z]+ )*([a-z_]+)")


def blocks(kind: str) -> Iterator[tuple[Path, str]]:
    """Fenced blocks of one kind, with their page."""
    for page in PAGES:
        for found in FENCE.finditer(page.read_text(encoding="utf-8")):
            if found["kind"] == kind:
                yield page, found["text"]


def dead_links(page: Path, text: str) -> list[str]:
    """Links to files that are not there, or to headings that their page does not have."""
    dead = []
    for link in LINK.finditer(text):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        if not target.exists() or (link["anchor"] and link["anchor"] not in anchors(target)):
            dead.append(link[0])
    return dead


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    """Nobody is sent to a page that was moved."""
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


def test_a_dead_link_is_found() -> None:
    """Negative control: a file, and a heading, that there is not."""
    text = "[a](docs/none.md) [b](docs/gates.md#none) [c](docs/gates.md#tests) [d](https://example.com)"
    assert dead_links(ROOT / "README.md", text) == ["](docs/none.md)", "](docs/gates.md#none)"]


def test_every_target_of_make_that_is_named_exists() -> None:
    """`make …` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in MAKE.findall(page.read_text(encoding="utf-8"))}
    assert {"demo", "test", "local"} <= named
    assert named <= targets


def test_shell_blocks_are_shell_and_set_keys_that_exist() -> None:
    """bash can read each, and what is configured there is a key of the schema."""
    text = "\n".join(text for kind in ("sh", "sh run") for _, text in blocks(kind))
    read = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert read.stderr == ""
    keys = set(CONFIG_SET.findall(text))
    assert {"approved_release", "secret_env"} <= keys <= set(StackConfig.model_fields)


def test_configuration_in_pages_has_keys_that_exist() -> None:
    """A stack's lines in a page can be pasted."""
    told = [yaml.safe_load(text) for page, text in blocks("yaml") if "bluegreen-fly:" in text]
    keys = {key.removeprefix("bluegreen-fly:") for page in told for key in page["config"]}
    assert {"state_store", "build"} <= keys <= set(StackConfig.model_fields)


@pytest.mark.parametrize(
    ("page", "text"), list(blocks("sh run")), ids=lambda it: getattr(it, "name", "commands")
)
def test_commands_that_are_marked_to_run_do_run(page: Path, text: str) -> None:
    """As a reader would, in the checkout, with the environment first on PATH."""
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=ROOT,
        env=environ,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_is_two_screens() -> None:
    """What is longer goes to docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110


def test_the_workflow_previews_pull_requests_and_deploys_pushes_one_at_a_time() -> None:
    """No deploy is cancelled by the next push, and no fork sees a secret."""
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert set(workflow[True]) == {"pull_request", "push"}  # `on` is a boolean to YAML 1.1
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["preview"]["if"]
    runs = {name: step(job, "pulumi/actions@")["with"] for name, job in workflow["jobs"].items()}
    assert {name: run["command"] for name, run in runs.items()} == {"preview": "preview", "up": "up"}
    assert runs["preview"]["comment-on-pr"] is True
    assert all((ROOT / "stacks" / f"Pulumi.{run['stack-name']}.yaml").exists() for run in runs.values())


def step(job: dict[str, Any], uses: str) -> dict[str, Any]:
    (found,) = (it for it in job["steps"] if it.get("uses", "").startswith(uses))
    return dict(found)


def test_the_workflow_keeps_the_plan_and_logs_in_before_it_builds() -> None:
    """The plan of a pull request is an artifact; the registry is opened just before `up`, where there is a build."""
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    folder = jobs["preview"]["env"]["BLUEGREEN_PLAN_DIR"]
    assert step(jobs["preview"], "actions/upload-artifact@")["with"]["path"] == f"{folder}/*.json"
    *_, login, up = jobs["up"]["steps"]
    assert up["uses"].startswith("pulumi/actions@")
    assert "bluegreen-fly:build:" in login["run"]
    assert "flyctl auth docker" in login["run"]


def test_no_action_of_others_is_a_branch() -> None:
    """What gets the token cannot change under us: a commit for Fly's, a tag for GitHub's and Pulumi's."""
    used = re.findall(r"uses: (\S+)@(\S+)", WORKFLOW.read_text(encoding="utf-8"))
    assert {"actions/checkout", "superfly/flyctl-actions/setup-flyctl"} <= {name for name, _ in used}
    pinned = {"actions": r"v\d+", "pulumi": r"v\d+", "superfly": r"[0-9a-f]{40}"}
    assert [name for name, ref in used if not re.fullmatch(pinned[name.partition("/")[0]], ref)] == []
