"""Around every call: its request id, the token, the last line of defence, and its line in the history."""

import hmac
import logging
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.errors import ApiError
from simulator.http.call import answer
from simulator.world import World

REQUEST_ID_HEADER = "Fly-Request-Id"
SCHEMES = ("bearer ", "flyv1 ")
LONGEST_PATH = 512

logger = logging.getLogger(__name__)


class Envelope:
    """ASGI middleware. A later layer that injects faults belongs between it and the calls."""

    def __init__(self, app: ASGIApp, *, world: World, token: str) -> None:
        self._app = app
        self._world = world
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = anyio.current_time()
        request_id = self._world.ids.ulid(self._world.clock.now()) + "-loc"
        status, recorded = 0, False

        def record() -> None:
            nonlocal recorded
            if not recorded:
                recorded = True
                self._record(scope, request_id, status, anyio.current_time() - began)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            elif not message.get("more_body", False):
                # Whoever has read an answer must find its line: it is written before the last of the answer leaves.
                record()
            await send(message)

        try:
            await self._serve(scope, receive, send_with_id, lambda: status != 0)
        finally:
            record()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, has_begun: Any) -> None:
        try:
            if not self._is_known(Headers(scope=scope).get("authorization", "")):
                raise ApiError(401, "unauthorized: invalid or missing token")
            await self._app(scope, receive, send)
        except ApiError as error:
            await answer(error.body(), error.status)(scope, receive, send)
        except Exception:
            logger.exception("a call failed")
            if has_begun():
                raise
            await answer(ApiError(500, "internal server error").body(), 500)(scope, receive, send)

    def _is_known(self, authorization: str) -> bool:
        for scheme in SCHEMES:
            if authorization.lower().startswith(scheme):
                shown = authorization[len(scheme) :].strip()
                return hmac.compare_digest(shown.encode(), self._token.encode())
        return False

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        action = scope.get("state", {}).get("action", "unknown")
        if not action:
            return
        params = scope.get("path_params", {})
        self._world.history.add(
            "request",
            method=scope["method"],
            path=scope["path"][:LONGEST_PATH],
            action=action,
            app=params.get("app"),
            machine_id=params.get("machine_id"),
            status=status,
            request_id=request_id,
            seconds=round(seconds, 6),
        )
