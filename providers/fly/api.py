"""One call to the Machines API: limits, retries, request ids, and answers that can be trusted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import stamina

from providers.bodies import AS_IT_IS, BodyRefused, read_body
from providers.fly import errors, retries
from providers.fly.errors import Call
from providers.fly.limits import Limiter
from providers.gates.output import clean
from providers.http import client

DEFAULT_BASE_URL = "https://api.machines.dev"
BODY_CAP_BYTES = 16 * 1024 * 1024
"""A list of 1,000 machines is about 4 MB; more than four times that is not an answer to anything we ask."""
TIMEOUTS = httpx.Timeout(connect=5, read=30, write=30, pool=30)
LONG_POLL_SLACK_S = 10.0
REASON_CAP = 500

# Waits are told to people by those who wait; stamina's own log lines would reach Pulumi's output.
stamina.instrumentation.set_on_retry_hooks([])


def authorization(token: str) -> str:
    """The header's value: macaroons (``fm2_``) have a scheme of their own."""
    return f"FlyV1 {token}" if "fm2_" in token else f"Bearer {token}"


def without_scheme(token: str) -> str:
    """``fly tokens create`` prints the scheme with the token, and both usually end up in ``FLY_API_TOKEN``."""
    scheme, _, rest = token.partition(" ")
    return rest.strip() if scheme.lower() in ("flyv1", "bearer") else token


@dataclass
class Api:
    """The transport that every resource module shares.

    ``attempts`` bounds what is tried again, ``None``: until the caller's own deadline. ``secrets`` appear in no error,
    whatever the API echoes. ``last_error`` tells a caller whose deadline has passed what kept it waiting.
    ``fence`` is asked right before each attempt of a write for the headers that it has to show (a lease's nonce), and
    raises ``Lapsed`` where it must not be sent any more.
    """

    http: httpx.AsyncClient
    base_url: str
    limiter: Limiter = field(default_factory=Limiter)
    calls: int = 0
    attempts: int | None = retries.ATTEMPTS
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    last_error: str = ""
    fence: Callable[[Call, str], Mapping[str, str]] = lambda call, identifier: {}

    async def send(
        self,
        call: Call,
        identifier: str,
        *,
        body: object = None,
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        long_poll_s: float = 0,
        parse: Callable[[Any], Any] = lambda answer: answer,
    ) -> Any:
        """Send ``call`` and answer its JSON, as ``parse`` reads it: what that raises counts as this attempt's error.

        Raises a ``FlyError``; ``Ambiguous`` when the effect is unknown.
        """
        request = self.http.build_request(
            call.method, f"{self.base_url}/v1{call.path}", json=body, params=params, headers=headers
        )
        if long_poll_s:
            request.extensions["timeout"] = {**TIMEOUTS.as_dict(), "read": long_poll_s + LONG_POLL_SLACK_S}
        async for attempt in stamina.retry_context(
            on=retries.backoff,
            attempts=self.attempts,
            timeout=None,
            wait_initial=retries.FIRST_WAIT_S,
            wait_max=retries.LONGEST_WAIT_S,
        ):
            with attempt:
                await self.limiter.wait(call.action, identifier)
                if not call.reads:
                    request.headers.update(self.fence(call, identifier))
                return await self._send_and_note(call, request, parse)
        raise AssertionError("stamina ends with an answer or an error")

    async def _send_and_note(self, call: Call, request: httpx.Request, parse: Callable[[Any], Any]) -> Any:
        try:
            answer = parse(await self._send_once(call, request))
        except errors.FlyError as error:
            self.last_error = str(error)
            raise
        self.last_error = ""
        return answer

    async def _send_once(self, call: Call, request: httpx.Request) -> Any:
        self.calls += 1
        try:
            response = await self.http.send(request, stream=True)
            try:
                content = await _read_capped(call, response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise errors.Unreachable(call, f"cannot reach {_address(request.url)}: {error}") from None
        except httpx.HTTPError as error:
            raise _unclear(call, f"no complete answer ({type(error).__name__})") from None
        return self._judge(call, response, content)

    def _judge(self, call: Call, response: httpx.Response, content: bytes) -> Any:
        request_id = response.headers.get("fly-request-id", "")
        if response.is_success:
            try:
                return json.loads(content) if content.strip() else {}
            except ValueError:
                raise _unclear(call, "the answer is not JSON", request_id) from None
        reason = self.redacted(clean(_reason(response, content)).strip())[:REASON_CAP]
        error = errors.from_status(call, response.status_code, reason, request_id)
        if isinstance(error, errors.RateLimited):
            error.retry_after = _seconds(response.headers.get("retry-after"))
        raise error

    def redacted(self, text: str) -> str:
        """``text`` without the token and the secrets that this client knows."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return text


def _address(url: httpx.URL) -> str:
    return url.netloc.decode()


async def _read_capped(call: Call, response: httpx.Response) -> bytes:
    try:
        return await read_body(response, BODY_CAP_BYTES)
    except BodyRefused as refused:
        request_id = response.headers.get("fly-request-id", "")
        raise _unclear(call, str(refused), request_id) from None


def _unclear(call: Call, reason: str, request_id: str = "") -> errors.FlyError:
    kind = errors.BadAnswer if call.reads else errors.Ambiguous
    return kind(call, reason, request_id=request_id)


def _reason(response: httpx.Response, content: bytes) -> str:
    """The API's own words: ``message`` where there is one, else ``error`` (FLY-API, Errors)."""
    try:
        body = json.loads(content)
        return str(body.get("message") or body.get("error") or body)
    except (ValueError, AttributeError):
        return content.decode("utf-8", "replace") or response.reason_phrase


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


@asynccontextmanager
async def connect(
    token: str,
    base_url: str = DEFAULT_BASE_URL,
    *,
    secrets: Iterable[str] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Api]:
    """An ``Api`` for one deployment. ``transport`` replaces the socket, e.g. by a simulator in process."""
    token = without_scheme(token)
    async with client(
        headers={"authorization": authorization(token), "user-agent": "bluegreen-fly", **AS_IT_IS},
        timeout=TIMEOUTS,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        transport=transport,
    ) as http:
        yield Api(http, base_url.rstrip("/"), secrets=frozenset(filter(None, (token, *secrets))))
