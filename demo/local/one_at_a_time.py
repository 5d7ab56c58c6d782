"""moto's S3, with writes as atomic as S3's.

moto 5.2.5 answers `If-None-Match: *` by looking first and writing afterwards, in one thread a request: two creates held
between the two steps were both answered 200, and three machines that raced for eight rooms got one room with two owners
in 3 of 48 test runs. S3 itself promises one winner. One request at a time restores that.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class OneAtATime:
    """moto's application behind a lock."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Read the whole body before taking the lock: a client that stalls stops nobody else."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with self._lock:
            answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer
