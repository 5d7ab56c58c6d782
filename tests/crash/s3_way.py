"""The way to S3: passes every request on as it is, and tells what was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HOP_BY_HOP = frozenset({"connection", "expect", "host", "keep-alive", "transfer-encoding"})
TOLD = "/told/"
Wrote = Callable[[str, bytes], None]


@dataclass(frozen=True)
class S3Way:
    """An ASGI application. ``wrote`` hears of each key (with its bucket) that was written, and its content; ``told`` of
    what machines tell the test: their id and the state of their app.
    """

    s3: httpx.AsyncClient
    wrote: Wrote
    told: Callable[[str, str], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await self._answer(request, body)
        await response(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> Response:
        path = request.url.path
        if path.startswith(TOLD):
            machine_id, _, state = path.removeprefix(TOLD).partition("/")
            self.told(machine_id, state)
            return Response()
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        target = f"{path}?{request.url.query}" if request.url.query else path
        answer = await self.s3.request(request.method, target, headers=headers, content=body)
        if request.method == "PUT" and answer.is_success:
            self.wrote(path, body)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return Response(answer.content, answer.status_code, kept)
