"""The client of the Machines API: what is sent, what is sent again, and what errors say."""

from __future__ import annotations

import inspect
import json

import anyio
import httpx
import pytest

from providers.fly import Machines, Secrets, connect, errors
from providers.fly.api import BODY_CAP_BYTES, Api, authorization
from providers.fly.limits import Limiter
from providers.fly.retries import ATTEMPTS, REASONS
from tests.fly.answers import MACHINE, Answers, ask, ok, refused
from tests.virtual_time import run


def create(machines: Machines):
    return machines.create(name="a", region="ams", config={}, skip_service_registration=True)


def test_a_macaroon_token_has_its_own_scheme() -> None:
    """Tokens with fm2_ are sent as FlyV1, others as Bearer."""
    assert authorization("fm2_abc").startswith("FlyV1 ")
    assert authorization("abc") == "Bearer abc"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("FlyV1 fm2_a,fm2_b", "FlyV1 fm2_a,fm2_b"),
        ("fm2_a,fm2_b", "FlyV1 fm2_a,fm2_b"),
        ("Bearer abc", "Bearer abc"),
    ],
)
def test_a_token_may_come_with_its_scheme(given: str, sent: str) -> None:
    """`fly tokens create` prints "FlyV1 fm2_…": what people export is sent with one scheme, not with two."""

    async def main() -> Api:
        async with connect(given, "http://fly.test", transport=httpx.MockTransport(Answers(ok()))) as api:
            return api

    api = run(main)
    assert api.http.headers["authorization"] == sent
    assert api.redacted("it was fm2_a,fm2_b or abc") in (
        "it was [secret] or abc",
        "it was fm2_a,fm2_b or [secret]",
    )


def test_an_error_names_the_call_and_the_request_id() -> None:
    """What Fly's support asks for is in every message; the token is not."""
    with pytest.raises(errors.Conflict) as caught:
        ask(Answers(refused(409, "lease held by deploy@ci")), lambda m: m.cordon("148e21ea7d5e38"))
    text = str(caught.value)
    assert "POST /apps/rooms/machines/148e21ea7d5e38/cordon answered 409" in text
    assert "lease held by deploy@ci" in text
    assert "01REQ" in text
    assert "token" not in text


def test_message_is_preferred_over_error_and_stripped_of_terminal_escapes() -> None:
    """Hostile bytes of an error body do not reach a terminal."""
    answer = httpx.Response(422, json={"error": "x", "message": "bad \x1b[31mregion"})
    with pytest.raises(errors.Invalid, match="bad region"):
        ask(Answers(answer), create)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refused(500), errors.Ambiguous),
        (refused(408), errors.Ambiguous),
        (httpx.ReadTimeout("slow"), errors.Ambiguous),
        (httpx.RemoteProtocolError("reset"), errors.Ambiguous),
        (httpx.Response(200, content=b"{trunc"), errors.Ambiguous),
    ],
    ids=["500", "408", "read timeout", "reset", "truncated"],
)
def test_a_create_that_may_have_happened_is_never_sent_again(failure, kind) -> None:
    """Create has no idempotency key: an unclear answer is Ambiguous after one single request."""
    answers = Answers(failure)
    with pytest.raises(kind):
        ask(answers, create)
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    "failure", [refused(500), refused(408), httpx.ReadTimeout("slow")], ids=["500", "408", "slow"]
)
def test_a_cordon_that_may_have_happened_is_sent_again(failure) -> None:
    """Cordoning twice equals cordoning once (flyctl 4851: one 408 rolled a healthy green back)."""
    answers = Answers(failure, ok({}))
    ask(answers, lambda m: m.cordon("148e21ea7d5e38"))
    assert len(answers.requests) == 2


def test_nothing_was_sent_means_that_anything_may_be_sent_again() -> None:
    """A refused connection is retried even for a create, and ends as Unreachable after a bounded number of tries."""
    assert ask(Answers(httpx.ConnectError("refused"), ok()), create).id == MACHINE["id"]
    answers = Answers(httpx.ConnectError("refused"))
    with pytest.raises(errors.Unreachable):
        ask(answers, create)
    assert len(answers.requests) == ATTEMPTS


def test_a_rate_limit_is_waited_for() -> None:
    """429 with Retry-After is sent again after that time."""

    async def main() -> float:
        answers = Answers(refused(429, **{"retry-after": "3"}), ok({}))
        async with connect("t", "http://fly.test", transport=httpx.MockTransport(answers)) as api:
            await Machines(api, "rooms").cordon("148e21ea7d5e38")
            return anyio.current_time()

    async def timed() -> float:
        before = anyio.current_time()
        return await main() - before

    assert 3 <= run(timed) < 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    """The API said no: the same request would get the same answer."""
    answers = Answers(refused(status))
    with pytest.raises(errors.FlyError):
        ask(answers, create)
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    "body",
    [{"id": 7}, {"state": "started"}, [], {**MACHINE, "id": "../../apps/other"}, {**MACHINE, "events": {}}],
)
def test_an_answer_of_another_shape_is_no_answer(body) -> None:
    """Wrong types and ids with path tricks are refused where they enter."""
    with pytest.raises(errors.BadAnswer):
        ask(Answers(ok(body)), lambda m: m.get("148e21ea7d5e38"))


def test_a_huge_body_is_not_read_to_its_end() -> None:
    """The body cap holds for an answer without a length."""
    pulled = 0

    async def chunks():
        nonlocal pulled
        while True:
            pulled += 1
            yield b"x" * 1024 * 1024

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self):
            return chunks()

    async def endless(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Endless())

    async def main() -> None:
        async with connect("token", "http://fly.test", transport=httpx.MockTransport(endless)) as api:
            await create(Machines(api, "rooms"))

    with pytest.raises(errors.Ambiguous, match="more than"):
        anyio.run(main)
    assert pulled <= BODY_CAP_BYTES // 1024 // 1024 + 2


def test_waits_are_renewed_until_the_state_is_reached() -> None:
    """A wait longer than Fly's 60 s is several long polls; a 408 is no failure of any of them."""
    answers = Answers(refused(408), refused(408), ok({"ok": True}))
    ask(answers, lambda m: m.wait("148e21ea7d5e38", ["stopped"], instance_id="01V"))
    assert [r.url.params["timeout"] for r in answers.requests] == ["60"] * 3
    assert answers.requests[0].url.params["version"] == "01V"


def test_a_404_just_after_create_is_borne() -> None:
    """The API is eventually consistent: wait on a new machine may answer 404 for a moment."""
    ask(
        Answers(refused(404), refused(404), ok({"ok": True})), lambda m: m.wait("148e21ea7d5e38", ["started"])
    )


def test_the_client_keeps_fly_s_rate_limits_itself() -> None:
    """One call a second after a burst of three, per action and machine; other machines are not slowed down."""

    async def main() -> list[float]:
        limiter, times = Limiter(), []
        start = anyio.current_time()
        for _ in range(5):
            await limiter.wait("machine.stop", "a")
            times.append(anyio.current_time() - start)
        await limiter.wait("machine.stop", "b")
        times.append(anyio.current_time() - start)
        return times

    assert run(main) == pytest.approx([0, 0, 0, 1, 2, 2])


def test_what_the_api_echoes_of_our_secrets_is_not_shown() -> None:
    """The token and the values of secrets are cut out of error bodies."""
    echo = httpx.Response(422, json={"error": "invalid value 's3cret-canary', header 'Bearer tok-canary'"})

    async def main() -> None:
        transport = httpx.MockTransport(Answers(echo))
        async with connect(
            "tok-canary", "http://fly.test", secrets=["s3cret-canary"], transport=transport
        ) as api:
            await Secrets(api, "rooms").set({"KEY": "s3cret-canary"})

    with pytest.raises(errors.Invalid) as caught:
        run(main)
    assert "canary" not in str(caught.value)
    assert "[secret]" in str(caught.value)


def test_null_is_absent() -> None:
    """Go writes absent values as null; a stranger's machine full of them does not stop a deploy."""
    nulls = {
        **MACHINE,
        "private_ip": None,
        "image_ref": None,
        "cordoned": None,
        "checks": None,
        "events": None,
    }
    assert ask(Answers(ok(nulls)), lambda m: m.get("148e21ea7d5e38")).checks == ()


def test_redirects_are_not_followed() -> None:
    """A redirect would carry the token to another host."""
    answers = Answers(httpx.Response(302, headers={"location": "http://evil.test/"}))
    with pytest.raises(errors.FlyError):
        ask(answers, lambda m: m.get("148e21ea7d5e38"))
    assert {request.url.host for request in answers.requests} == {"fly.test"}


def test_the_error_tree_in_the_docstring_is_complete() -> None:
    """Every exception of the module is drawn in its docstring, and every repeatable one says why."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
    assert set(REASONS) < set(kinds)


def test_stopping_leaves_the_machine_its_own_policy() -> None:
    """Stop sends "0s", which stands for the machine's own stop_config."""
    answers = Answers(ok({}))
    ask(answers, lambda m: m.stop("148e21ea7d5e38"))
    assert json.loads(answers.requests[0].content) == {"timeout": "0s"}


def test_the_api_counts_its_calls() -> None:
    """Every request that was sent counts, repeated ones too."""

    async def main() -> Api:
        answers = Answers(refused(500), ok({}))
        async with connect("t", "http://fly.test", transport=httpx.MockTransport(answers)) as api:
            await Machines(api, "rooms").cordon("148e21ea7d5e38")
            return api

    assert run(main).calls == 2
