"""A user's own project with one component in it, on local Fly: what the program says can change from run to run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import stamina

from demo.local import CHECKOUT
from tests.engine.backend import new_stack
from tests.engine.stack import Stack

PROGRAM = Path(__file__).with_name("program.py")
PROJECT = "name: lifecycle\nruntime: python\nmain: program.py\n"
OURS = "pulumi-python:dynamic/fly:BlueGreenFlyApp"
INGRESS = "pulumi-python:dynamic/fly:FlyIngress"
HOST = "play.example.com"


TOO_MANY = 429


class Rationed(Exception):
    """Fly answers some kinds of calls once a second, whoever asks: an `up` may have just done so."""


class OwnProject(Stack):
    """``told``: the name, arguments and options of the component."""

    name = "app"

    def init(self) -> None:
        self.project = self.folder / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text(PROJECT)
        shutil.copy(PROGRAM, self.project)
        self.environ["PYTHONPATH"] = str(CHECKOUT)
        self.args = {key: value for key, value in self.config.items() if value}
        new_stack(self.folder)

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """``pulumi …`` of the program with these options of its component; stdout and stderr together."""
        told = {"name": self.name, "args": self.args, "options": options}
        (self.project / "told.json").write_text(json.dumps(told))
        return self._pulumi(*argv, "--stack", "test", stderr=subprocess.STDOUT)

    def resource(self, of: str = OURS) -> dict[str, Any]:
        """What Pulumi's state has of the app."""
        resources = json.loads(self.state())["deployment"].get("resources", ())
        found: dict[str, Any] = next(resource for resource in resources if resource["type"] == of)
        return found

    def ingress(self, app: str = "rooms") -> set[str]:
        """Addresses that the app has, and the hostname that has a certificate."""
        ips = {ip["ip"] for ip in self.fly("GET", f"/{app}/ip_assignments")["ips"]}
        return ips | {HOST} if self._has_certificate(app) else ips

    def load(self, deployment: dict[str, Any]) -> None:
        """Make this the state: ``pulumi stack import``."""
        file = self.folder / "loaded.json"
        file.write_text(json.dumps(deployment))
        self._plain("stack", "import", "--stack", "test", "--file", str(file))

    def fly(self, method: str, path: str, body: Any = None) -> Any:
        """One call of flyctl's, or of a person's."""
        answer = self._ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def _has_certificate(self, app: str) -> bool:
        return self._ask("GET", f"/{app}/certificates/{HOST}").is_success

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.environ['FLY_API_TOKEN']}"}
        url = f"{self.args['api_url']}/v1/apps{path}"
        for attempt in stamina.retry_context(on=Rationed, attempts=None, timeout=60):
            with attempt:
                answer = httpx.request(method, url, json=body, headers=headers, trust_env=False, timeout=60)
                if answer.status_code == TOO_MANY:
                    raise Rationed(path)
        return answer

    def _pulumi(self, *argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return super()._pulumi(*argv, **more | {"cwd": self.project})
