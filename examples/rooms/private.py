"""The private port: /drain and /rehearsal, for the deployer. No service names it, so no user reaches it.

Slow to import (uvicorn and Starlette: 0.1 s), so `server` imports it in a thread, once the machine serves.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.rooms.log import say, warn
from examples.rooms.orders import MEMORY_ONLY, Orders
from examples.rooms.rehearsal import rehearse
from examples.rooms.store import Store, StoreError, Unreadable

MOST_BODY_BYTES: Final = 64 * 1024
MOST_NAME_CHARACTERS: Final = 200


class Private:
    """The private port's endpoints (docs/handover.md)."""

    def __init__(self, orders: Orders, store: Store | None) -> None:
        self._orders = orders
        self._store = store

    async def drain(self, request: Request) -> JSONResponse:
        """POST /drain: take no more edits, save everything, stay alive. 202 and the status; the same id is no news."""
        told = await _read_names(request, "drain", "successor")
        say("drain asked for", **told)
        self._orders.drain(told["drain"])
        return JSONResponse(self._orders.status(), HTTPStatus.ACCEPTED)

    async def status(self, request: Request) -> JSONResponse:
        """GET /drain: how far it is."""
        return JSONResponse(self._orders.status())

    async def resume(self, request: Request) -> JSONResponse:
        """DELETE /drain: back to work. 409 once the machine was told to stop, since that cannot be taken back."""
        if self._orders.resume():
            return JSONResponse(self._orders.status())
        return JSONResponse(self._orders.status() | {"error": "stopping"}, HTTPStatus.CONFLICT)

    async def rehearsal(self, request: Request) -> JSONResponse:
        """POST /rehearsal: read all that was saved. 422 names what cannot be read, 503: S3 does not answer."""
        told = await _read_names(request, "predecessor")
        if self._store is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, MEMORY_ONLY)
        try:
            rehearsed = await rehearse(self._store)
        except Unreadable as error:
            warn("rehearsal failed", error=str(error), **told)
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except StoreError as error:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        say("rehearsed", **asdict(rehearsed), **told)
        return JSONResponse(asdict(rehearsed))


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are orders here (`server`)."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(listener: socket.socket, orders: Orders, store: Store | None) -> None:
    """Answer at a socket that listens, until cancelled."""
    private = Private(orders, store)
    app = Starlette(
        routes=[
            Route("/drain", private.status, methods=["GET"]),
            Route("/drain", private.drain, methods=["POST"]),
            Route("/drain", private.resume, methods=["DELETE"]),
            Route("/rehearsal", private.rehearsal, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _tell},
    )
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    await Server(config).serve(sockets=[listener])


async def _read_names(request: Request, *fields: str) -> dict[str, str]:
    """The fields of a JSON body, each a short text; 400 says what is missing."""
    try:
        body = json.loads(await _read_body(request))
        names = {field: body[field] for field in fields}
    except (ValueError, KeyError, TypeError):
        names = {}
    if not names or not all(_is_name(value) for value in names.values()):
        example = json.dumps(dict.fromkeys(fields, "..."))
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body must be like {example}")
    return names


async def _read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_BODY_BYTES} bytes")
    return body


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= MOST_NAME_CHARACTERS


async def _tell(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
