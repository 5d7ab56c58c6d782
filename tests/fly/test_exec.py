"""Commands and signals inside machines: what is sent, what is never sent twice, and what an answer must say."""

from __future__ import annotations

import json

import httpx
import pytest

from providers.fly import errors
from providers.fly.api import LONG_POLL_SLACK_S
from tests.fly.answers import MACHINE, Answers, ask, ok, refused

ID = MACHINE["id"]
DONE = {"exit_code": 3, "exit_signal": 0, "stdout": "out\n", "stderr": "oops\n"}
UNCLEAR = [refused(500), refused(408, "deadline_exceeded"), httpx.ReadTimeout("slow"), ok({}), ok([])]
NAMES = ["500", "408", "read timeout", "says nothing", "a list"]


def run_date(answers: Answers, timeout_s: float = 30):
    return ask(answers, lambda m: m.exec(ID, ["date", "-u"], timeout_s))


def test_exec_sends_an_argv_and_answers_how_it_ended() -> None:
    """A command that failed is an answer, not an error."""
    answers = Answers(ok(DONE))
    answer = run_date(answers)
    assert json.loads(answers.requests[0].content) == {"command": ["date", "-u"], "timeout": 30}
    assert (answer.exit_code, answer.stdout, answer.stderr) == (3, "out\n", "oops\n")


def test_exec_is_waited_for_longer_than_it_may_run() -> None:
    """Fly ends the command at its timeout: the answer to that must not be missed."""
    answers = Answers(ok(DONE))
    run_date(answers, 59.2)
    assert json.loads(answers.requests[0].content)["timeout"] == 60
    assert answers.requests[0].extensions["timeout"]["read"] == 60 + LONG_POLL_SLACK_S


@pytest.mark.parametrize("failure", UNCLEAR, ids=NAMES)
def test_a_command_that_may_have_run_is_never_run_again(failure) -> None:
    """An unclear answer, one without an exit code too, is Ambiguous after one single request: it proves nothing."""
    answers = Answers(failure, ok({**DONE, "exit_code": 0}))
    with pytest.raises(errors.Ambiguous):
        run_date(answers)
    assert len(answers.requests) == 1


def test_a_lease_refuses_exec() -> None:
    """409 is a Conflict that names the holder, as the API said it."""
    with pytest.raises(errors.Conflict, match="lease currently held by deploy@ci"):
        run_date(Answers(refused(409, "lease currently held by deploy@ci")))


def test_a_command_that_was_killed_has_not_passed() -> None:
    """A signal counts as 128 + n, whatever the exit code says."""
    assert run_date(Answers(ok({**DONE, "exit_code": 0, "exit_signal": 9}))).exit_code == 137
    assert run_date(Answers(ok({**DONE, "exit_code": 0, "exit_signal": -1}))).exit_code == 0


def test_a_signal_is_sent_by_its_name() -> None:
    """One request with the name; its success is all that is known."""
    answers = Answers(ok({"ok": True}))
    ask(answers, lambda m: m.signal(ID, "SIGUSR1"))
    assert answers.requests[0].url.path == f"/v1/apps/rooms/machines/{ID}/signal"
    assert json.loads(answers.requests[0].content) == {"signal": "SIGUSR1"}


@pytest.mark.parametrize("failure", UNCLEAR[:3], ids=NAMES[:3])
def test_a_signal_that_may_have_been_delivered_is_not_sent_again(failure) -> None:
    """To many programs a second SIGTERM means "now": only the caller may decide on one."""
    answers = Answers(failure, ok({}))
    with pytest.raises(errors.Ambiguous):
        ask(answers, lambda m: m.signal(ID, "SIGTERM"))
    assert len(answers.requests) == 1


def test_what_was_not_sent_is_sent_again() -> None:
    """A refused connection ran no command and delivered no signal."""
    answers = Answers(httpx.ConnectError("refused"), ok(DONE))
    assert run_date(answers).exit_code == 3


def test_a_metadata_key_is_removed_once_for_all() -> None:
    """Removing a key is repeated until it is known to be gone, and one that is not there is fine."""
    answers = Answers(refused(500), refused(404), ok({}))
    ask(answers, lambda m: m.delete_metadata(ID, "bluegreen_draining"))
    assert [(r.method, r.url.path) for r in answers.requests] == [
        ("DELETE", f"/v1/apps/rooms/machines/{ID}/metadata/bluegreen_draining")
    ] * 2
