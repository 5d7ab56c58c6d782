"""Which app a command is about: wrong input is refused with file, key and what would work; secrets stay encrypted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from bluegreen.__main__ import main
from bluegreen.target import ENCRYPTED, BadTarget, by_stack
from demo.local import CHECKOUT

SECURE = {"secure": "v1:AAAA:BBBB"}


def project(folder: Path, **values: object) -> Path:
    """A project with one stack, ``test``."""
    (folder / "Pulumi.yaml").write_text("name: game\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks").mkdir()
    given = {
        "app": "rooms",
        "image": "rooms:v1",
        "regions": {"ams": 1},
        "checks": {"up": {"type": "tcp", "port": 1}},
    }
    config = {f"game:{key}": value for key, value in (given | values).items() if value is not None}
    (folder / "stacks" / "Pulumi.test.yaml").write_text(yaml.safe_dump({"config": config}))
    return folder


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_stacks_of_this_project_are_read(stack) -> None:
    assert by_stack(CHECKOUT, stack).spec.app


@pytest.mark.parametrize("secret", [SECURE, {"API_KEY": SECURE}], ids=["whole", "each"])
def test_secrets_are_known_by_name_alone(secret, tmp_path: Path) -> None:
    """They are not decrypted, and it is known that they are there."""
    target = by_stack(project(tmp_path, secret_env=secret, notify={"url": SECURE, "secret": SECURE}), "test")
    assert target.encrypted == {"secret_env", "notify"}
    assert all(value.get_secret_value() == ENCRYPTED for value in target.spec.secret_env.values())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"regions": {"amsterdam": 1}}, "regions.amsterdam"),
        ({"bake": "soon"}, 'bake: "soon" is not a duration'),
    ],
)
def test_a_wrong_value_is_refused_with_its_file_and_key(values, told, tmp_path: Path) -> None:
    with pytest.raises(BadTarget) as refused:
        by_stack(project(tmp_path, **values), "test")
    assert told in str(refused.value)
    assert "Pulumi.test.yaml" in str(refused.value)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["status"], "name one of --stack and --app"),
        (["status", "--app", "Rooms"], "is not an app name"),
        (["explain", "--app", "rooms"], "name it with --stack"),
        (["status", "--stack", "nope", "--project", str(CHECKOUT)], "is there a stack nope?"),
        (["status", "--stack", "dev", "--project", "/nowhere"], "name it with --project"),
        (["status", "--app", "rooms"], "FLY_API_TOKEN is not set"),
        (["timeline", "--app", "nobody-deploys-this"], "no deploy at all is kept"),
    ],
)
def test_an_error_is_one_message_and_exit_code_2(argv, told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which option, which file, what next; never a traceback."""
    monkeypatch.delenv("FLY_API_TOKEN", raising=False)
    done = CliRunner().invoke(main, argv)
    assert done.exit_code == 2, done.output
    assert told in done.output


@contextmanager
def empty_fly() -> Iterator[str]:
    """Fly's API, which knows no app."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


BUILD: dict[str, Any] = {
    "image": None,
    "build": {"image": "registry.fly.io/rooms"},
    "ingress": {"ips": ["v6"]},
}


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["status"], 1, "there is no such app; nothing serves"),
        (["history"], 0, "no deploy is kept in"),
        (["timeline"], 2, "no deploy at all is kept in"),
        (["explain"], 1, "→ green 1, known later"),
        (["explain", "--destroy"], 0, "`pulumi destroy` would change nothing"),
    ],
    ids=lambda part: "-".join(part) if isinstance(part, list) else "",
)
def test_a_stack_that_builds_its_image_is_read(
    argv: list[str], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `build`, and so without `image`, every command does what it does for any other stack."""
    monkeypatch.setenv("FLY_API_TOKEN", "token")
    with empty_fly() as url:
        folder = project(tmp_path, api_url=url, **BUILD)
        done = CliRunner().invoke(main, [*argv, "--stack", "test", "--project", str(folder)])
    assert (done.exit_code, told in done.output) == (code, True), done.output


def test_what_the_stack_builds_is_known_of_the_target(tmp_path: Path) -> None:
    """Its repository stands in the place of the image; a stack with neither is refused, and so is one with both."""
    (tmp_path / "built").mkdir()
    target = by_stack(project(tmp_path / "built", **BUILD), "test")
    assert (target.spec.image, target.built, target.ingress) == ("registry.fly.io/rooms", True, True)
    for number, wrong in enumerate(({"image": None}, BUILD | {"image": "rooms:v1"})):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(BadTarget, match="image"):
            by_stack(project(tmp_path / str(number), **wrong), "test")


def test_wrong_aws_configuration_is_one_message(tmp_path: Path) -> None:
    folder = project(tmp_path, state_store={"bucket": "rooms-state"})
    asked = ["history", "--stack", "test", "--project", str(folder)]
    done = CliRunner(env={"AWS_PROFILE": "nobodys"}).invoke(main, asked)
    assert (done.exit_code, "nobodys" in done.output) == (2, True)


@pytest.mark.parametrize("command", ["status", "history", "timeline", "explain"])
def test_every_command_explains_itself(command) -> None:
    shown = CliRunner().invoke(main, [command, "--help"]).output
    assert all(option in shown for option in ("--stack", "--app", "--json"))
