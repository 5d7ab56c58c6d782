"""An uplink to local S3 that is no faster than a real one: what is stored takes time in proportion to its size.

Without it a machine has saved all that it holds within some ten milliseconds of its SIGTERM, and a deploy that lets
the next release load state too early goes unpunished (measured: two of ten runs with cutover `overlap` lost nothing).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Uplink:
    """An application whose requests' bodies arrive at `rate` bytes a second, each on a line of its own."""

    def __init__(self, application: WSGIApplication, rate: int) -> None:
        self._application = application
        self._rate = rate

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer once the body would have arrived."""
        time.sleep(int(environ.get("CONTENT_LENGTH") or 0) / self._rate)
        return self._application(environ, start_response)
