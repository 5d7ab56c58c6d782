"""Reading an answer of anybody's: to its end if that comes soon, and never more than a given length."""

from __future__ import annotations

from contextlib import aclosing

import httpx

AS_IT_IS = {"accept-encoding": "identity"}
"""What every request asks for: a compressed body of some kilobytes may hold gigabytes."""


class BodyRefused(ValueError):
    """``str()`` says why the body was not read."""


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The whole body of a streamed response. Raises ``BodyRefused`` for more than ``most`` bytes, or a compressed one;
    ``httpx.HTTPError`` where it breaks off.
    """
    if _is_compressed(response):
        raise BodyRefused("a compressed answer, which nobody has asked for")
    body, cut = await read_beginning(response, most)
    if cut:
        raise BodyRefused(f"an answer of more than {most} bytes")
    return body


async def read_beginning(response: httpx.Response, most: int) -> tuple[bytes, bool]:
    """At most ``most`` bytes of the body, and whether there are more. Of a compressed one nothing is read."""
    if _is_compressed(response):
        return b"", True
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            body += chunk
            if len(body) > most:
                return bytes(body[:most]), True
    return bytes(body), False


def _is_compressed(response: httpx.Response) -> bool:
    return response.headers.get("content-encoding", "").strip().lower() not in ("", "identity")
