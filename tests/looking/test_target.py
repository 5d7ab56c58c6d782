"""Which app a command is about: wrong input is refused with file, key and what would work; secrets stay encrypted."""

from __future__ import annotations

from pathlib import Path

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
    config = {f"game:{key}": value for key, value in (given | values).items()}
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


def test_wrong_aws_configuration_is_one_message(tmp_path: Path) -> None:
    folder = project(tmp_path, state_store={"bucket": "rooms-state"})
    asked = ["history", "--stack", "test", "--project", str(folder)]
    done = CliRunner(env={"AWS_PROFILE": "nobodys"}).invoke(main, asked)
    assert (done.exit_code, "nobodys" in done.output) == (2, True)


@pytest.mark.parametrize("command", ["status", "history", "timeline", "explain"])
def test_every_command_explains_itself(command) -> None:
    shown = CliRunner().invoke(main, [command, "--help"]).output
    assert all(option in shown for option in ("--stack", "--app", "--json"))
