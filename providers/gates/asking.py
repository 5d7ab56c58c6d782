"""One question over HTTP whose right answer is known: the ``http`` test, and the ``http`` proof of saved state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.polling import polling
from providers.bluegreen.spec_gates import Expect, HttpProof, HttpTest
from providers.bodies import AS_IT_IS, read_beginning
from providers.gates.expecting import Came, mismatches
from providers.gates.output import Scrubber

BODY_CAP_BYTES = 1024 * 1024
TIMEOUTS = httpx.Timeout(None, connect=10.0)
"""Only the caller's deadline bounds an answer: a request that is sent again may be done twice."""
OWN_HEADERS = {"user-agent": "bluegreen-fly", "accept": "*/*", **AS_IT_IS}
LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Question:
    """A request and the answer that it must have. ``what`` names it for people, without anything secret."""

    what: str
    method: str
    url: str
    headers: Mapping[str, SecretStr]
    expect: Expect
    body: str | None = None

    @property
    def secrets(self) -> list[str]:
        return [value.get_secret_value() for value in self.headers.values()]

    def request(self) -> httpx.Request:
        """Not by a client: the headers are the test's, and a cookie is whose who answered on that address before."""
        headers = httpx.Headers(OWN_HEADERS)
        headers.update({name: value.get_secret_value() for name, value in self.headers.items()})
        timeout = {"timeout": TIMEOUTS.as_dict()}
        return httpx.Request(self.method, self.url, headers=headers, content=self.body, extensions=timeout)


async def ask(
    http: httpx.AsyncClient,
    base_url: str,
    test: HttpTest,
    *,
    scrubber: Scrubber,
    waiting: Callable[[str], None] = lambda why: None,
) -> str:
    """Send a test's request to ``base_url``; what came, in a few words. Raises ``GateFailed`` where that is not right.

    While there is no answer it is asked again, and ``waiting`` told why, until the caller's deadline.
    """
    what = f"{test.method} {test.path}"
    question = Question(what, test.method, base_url + test.path, test.headers, test.expect, test.body)
    return await _ask(http, question, scrubber, waiting)


async def ask_url(
    http: httpx.AsyncClient,
    proof: HttpProof,
    *,
    scrubber: Scrubber,
    waiting: Callable[[str], None] = lambda why: None,
) -> str:
    """As ``ask``, at the address of a proof."""
    url = httpx.URL(proof.url)
    what = f"GET {url.scheme}://{url.netloc.decode()}{url.path}"  # neither its user nor its query
    return await _ask(http, Question(what, "GET", proof.url, proof.headers, proof.expect), scrubber, waiting)


async def _ask(
    http: httpx.AsyncClient, question: Question, scrubber: Scrubber, waiting: Callable[[str], None]
) -> str:
    scrubber = scrubber.also(question.secrets)
    async for attempt in polling():
        with attempt:
            try:
                came = await _answer(http, question)
            except NotYet as error:
                waiting(scrubber.excerpt(str(error), LONGEST_SHOWN))
                raise
    return _judge(question, came, scrubber)


async def _answer(http: httpx.AsyncClient, question: Question) -> Came:
    """What came. Raises ``NotYet`` where nothing did, or only the beginning of an answer."""
    try:
        response = await http.send(question.request(), stream=True, follow_redirects=False)
        try:
            return await _read(response)
        finally:
            await response.aclose()
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
        # Its text may hold the header, and with it the secret.
        reason = "its method, address or a header is not what HTTP allows"
        raise GateFailed(f"{question.what} cannot be sent: {reason}") from None
    except httpx.RequestError as error:
        raise NotYet(f"{question.what} has no answer: {type(error).__name__}: {error}") from None


async def _read(response: httpx.Response) -> Came:
    body, cut = await read_beginning(response, BODY_CAP_BYTES)
    return Came(response.status_code, response.headers, body.decode("utf-8", "replace"), cut=cut)


def _judge(question: Question, came: Came, scrubber: Scrubber) -> str:
    found = list(mismatches(question.expect, came, lambda text: scrubber.excerpt(text, LONGEST_SHOWN)))
    if not found:
        return f"{question.what} answered {came.status}"
    body = scrubber.excerpt(came.body, LONGEST_SHOWN, cut=came.cut)
    raise GateFailed(*(f"{question.what}: {fault}" for fault in found), f"{question.what} answered: {body}")
